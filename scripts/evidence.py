#!/usr/bin/env python3
"""Make docs/EVIDENCE.md and the table of docs/SPECIFICATION.md; `--check` them; say what is `--stale`."""

from __future__ import annotations

from here import ROOT

# isort: split
import click

from tests.evidence import page, specification
from tests.evidence.promises import PROMISES


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Fail when a page is not what the JSON and the tests say; write nothing.")
@click.option("--stale", is_flag=True, help="List the lines whose code changed since they were proven.")
def main(check: bool, stale: bool) -> None:
    """Pages that are made from docs/evidence/ and from the tests' names."""
    if stale:
        for line, why in page.stale_lines():
            click.echo(f"{line:<20} {why}")
        return
    if not check:
        page.PAGE.write_text(page.text(), encoding="utf-8")
        specification.PAGE.write_text(specification.text(), encoding="utf-8")
        click.echo(f"made {page.PAGE.relative_to(ROOT)} and the table of {specification.PAGE.relative_to(ROOT)}")
        return
    wrong = [path.relative_to(ROOT) for path, good in ((page.PAGE, page.current()), (specification.PAGE, specification.current()))
             if not good]  # fmt: skip
    count = len(list(page.stale_lines()))
    click.echo(f"{count} of {len(PROMISES)} lines of evidence are stale (scripts/evidence.py --stale)")
    if wrong:
        raise click.ClickException(f"{' and '.join(map(str, wrong))}: not what is measured and tested; run `make evidence`")


if __name__ == "__main__":
    main()
