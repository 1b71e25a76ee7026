from signupflow.backup.command import run

run()
