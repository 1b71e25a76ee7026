#!/usr/bin/env python3
"""Search every line that was ever committed here, and those that are not yet, for secrets. Exit 1 when there is one.

A line is looked at once for each file that had it. What is no secret is named in security/known-secrets.toml, by the SHA-1 of
the value and with the reason; an entry that is not needed any more is an error, where the whole history is there to tell.
A value that was found is never printed.
"""

from here import ROOT

# isort: split
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
from detect_secrets import SecretsCollection
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.settings import default_settings, transient_settings

COMMIT = "commit "
HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
DIFF = ("-p", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")
UNCOMMITTED = "not committed yet"
# Chance alone makes every digest look like a key, and this repository is full of digests: of images, packages and records.
NOT_USED = ("Base64HighEntropyString", "HexHighEntropyString")
# Exceptions are in one reviewed file, and not spread over comments.
NO_PRAGMA = "detect_secrets.filters.allowlist.is_line_allowlisted"


@dataclass
class Lines:
    """Of one file: each line that it ever had, once, and the first commit that had it."""

    first: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        return "\n".join(self.first) + "\n"

    def commit(self, number: int) -> str:
        return list(self.first.values())[number - 1]


@dataclass(frozen=True)
class Known:
    """A value that is no secret, wherever it stands; or in one file only."""

    sha1: str
    reason: str
    path: str = ""

    def covers(self, path: str, value: str) -> bool:
        return self.sha1 == value and self.path in ("", path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--repository", type=click.Path(path_type=Path), default=ROOT, help="Whose history.")
@click.option("--known", type=click.Path(path_type=Path), default=ROOT / "security" / "known-secrets.toml", help="What is none.")
def main(repository: Path, known: Path) -> None:
    """Search the history for secrets."""
    entries = _known(known)
    lines = collected(added(git(repository, "log", *DIFF, "-m", "--reverse", f"--format={COMMIT}%h", "HEAD")))
    lines = collected(added([f"{COMMIT}{UNCOMMITTED}", *git(repository, "diff", *DIFF, "HEAD")]), lines)
    found = dict(searched(lines))
    unknown = {place for place in found if not any(entry.covers(*place) for entry in entries)}
    for path, value in sorted(unknown):
        kind, commit = found[path, value]
        click.echo(f"Error: {path} ({commit}) holds what looks like a secret: {kind}, SHA-1 {value}", err=True)
    stale = [] if _shallow(repository) else [entry for entry in entries if not any(entry.covers(*place) for place in found)]
    for entry in stale:
        click.echo(
            f"Error: {known.name} names {entry.sha1} ({entry.reason}), which is in no commit; take the entry out", err=True
        )
    if unknown:
        click.echo(
            "Change the secret where it is used, then take it out; if it is none, name it in security/known-secrets.toml",
            err=True,
        )
    if stale or unknown:
        sys.exit(1)
    count = sum(len(item.first) for item in lines.values())
    click.echo(f"no secret in {count} lines of {len(lines)} files; {len(entries)} values are known as none")


def git(repository: Path, *words: str) -> Iterator[str]:
    command = ["git", "-C", str(repository), "-c", "core.quotePath=false", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as running:
        assert running.stdout is not None
        for line in running.stdout:
            yield line.rstrip("\n")
    if running.returncode:
        raise click.ClickException(f"git {words[0]} ended with {running.returncode}")


def added(diff: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Commit, file and text of each added line. Counted by hunk, so that no line that was committed is taken for git's own."""
    commit = path = ""
    out = into = 0
    for line in diff:
        if out or into:
            if line.startswith("+"):
                into -= 1
                yield commit, path, line[1:]
            elif line.startswith("-"):
                out -= 1
        elif match := HUNK.match(line):
            out, into = (int(count) if count is not None else 1 for count in match.groups())
        elif line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/").rstrip("\t")
        elif line.startswith(COMMIT):
            commit = line.removeprefix(COMMIT)


def collected(found: Iterable[tuple[str, str, str]], into: dict[str, Lines] | None = None) -> dict[str, Lines]:
    lines = {} if into is None else into
    for commit, path, text in found:
        # A carriage return or a form feed would be a line end when the file is read again.
        lines.setdefault(path, Lines()).first.setdefault(" ".join(text.splitlines()), commit)
    return lines


def searched(lines: dict[str, Lines]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Path and SHA-1 of each value that looks like a secret; its kind and commit."""
    with default_settings() as defaults:
        names = [name for name in defaults.plugins if name not in NOT_USED]
    # It remembers which detectors there are; now there is one more.
    get_mapping_from_secret_type_to_class.cache_clear()
    ours = {"name": "AgeKeyDetector", "path": f"file://{ROOT / 'security' / 'detectors.py'}"}
    used = {"plugins_used": [*({"name": name} for name in names), ours]}
    with tempfile.TemporaryDirectory() as folder, transient_settings(used) as settings:
        settings.disable_filters(NO_PRAGMA)
        collection = SecretsCollection(root=folder)
        for path, item in lines.items():
            there = Path(folder, path)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(item.text())
            collection.scan_file(path)
        for path, secret in collection:
            yield (path, secret.secret_hash), (secret.type, lines[path].commit(secret.line_number))


def _known(path: Path) -> list[Known]:
    try:
        return [Known(**entry) for entry in tomllib.loads(path.read_text())["known"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise click.ClickException(f"{path} is no list of [[known]] entries with sha1, reason and perhaps path") from None


def _shallow(repository: Path) -> bool:
    return next(git(repository, "rev-parse", "--is-shallow-repository")) == "true"


if __name__ == "__main__":
    main()
