"""`python -m sqlite_import`: what scripts/migrate_sqlite_to_postgres.py runs, inside the app's image."""

from sqlite_import.command import main

main(prog_name="migrate_sqlite_to_postgres")
