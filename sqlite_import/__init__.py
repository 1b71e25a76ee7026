"""Moves an existing SQLite database into an empty PostgreSQL schema: every row, or not one.

In the order of a run: `source` takes a snapshot of the file, `target` reads the schema, `matching` puts the two beside each
other, `keys` and `orphans` check what holds between rows, `reading` parses every value (`values`) and writes what will be
sent, `load` sends it in one transaction, and `verify` reads it back. `command` is the program.
"""
