import click


class LabError(click.ClickException):
    """Something the person at the keyboard can act on: printed as one line, exit status 1, no traceback."""
