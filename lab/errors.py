import click

from signupflow.errors import OperatorError


class LabError(click.ClickException, OperatorError):
    """Something the person at the keyboard can act on: printed as one line, exit status 1, no traceback."""
