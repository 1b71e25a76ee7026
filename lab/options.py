"""Options that several commands take."""

from __future__ import annotations

import click

named = click.option("--name", envvar="LAB_NAME", default="lab", show_default=True, help="Which lab (also LAB_NAME).")
