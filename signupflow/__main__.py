from signupflow.cli import run

run()
