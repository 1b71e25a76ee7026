from backup.command import run

run()
