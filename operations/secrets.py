"""Secret files: compared by digest, written through standard input, never shown."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from hashlib import sha256

from pyinfra import host, logger, state
from pyinfra.api import QuoteString, StringCommand, operation

from facts.host_files import SecretDirectory, SecretEntry


@operation()
def directory(path: str, values: Mapping[str, str], uid: int) -> Generator[StringCommand]:
    """Own a directory of secrets. Always name this operation, or pyinfra prints its arguments."""
    changes = list(owned(path, values, uid))
    if not changes:
        host.noop(f"secrets in {path} are up to date")
        return
    show(path, values, uid)
    yield from changes


def show(path: str, values: Mapping[str, str], uid: int) -> None:
    """Print which secrets differ from the ones in `path` when pyinfra runs with --diff; never a value."""
    if not state.config.DIFF:
        return
    present = host.get_fact(SecretDirectory, path=path)
    for name in sorted({*values, *present} - {"."}):
        if name in values and present.get(name) == _entry(values[name], uid):
            continue
        change = "-" if name not in values else "~" if name in present else "+"
        logger.info(f"{host.print_prefix}    {change} secret {name} (value not shown)")


def owned(path: str, values: Mapping[str, str], uid: int) -> Generator[StringCommand]:
    """Commands that leave a directory (0700, `uid`) with exactly these files (0400, `uid`), each ending in a newline.

    The directory is what gets mounted into a container: replacing a file by rename would
    break a mount of the single file.
    """
    present = host.get_fact(SecretDirectory, path=path)
    desired = {name: _entry(value, uid) for name, value in sorted(values.items())}
    preparing = present.get(".") != SecretEntry("0700", uid, "-")
    writing = [name for name, entry in desired.items() if present.get(name) != entry]
    removing = sorted(set(present) - set(desired) - {"."})
    if preparing:
        yield StringCommand(
            f"mkdir -p -m 0711 /etc/signupflow/secrets && install -d -m 0700 -o {uid} -g {uid}", QuoteString(path)
        )
    for name in writing:
        target, new = QuoteString(f"{path}/{name}"), QuoteString(f"{path}/.{name}.new")
        yield StringCommand(f"install -m 0400 -o {uid} -g {uid} /dev/null", new)
        yield StringCommand("cat >", new, _stdin=_text(values[name]))
        yield StringCommand("mv -f", new, target)
    for name in removing:
        yield StringCommand("rm -f", QuoteString(f"{path}/{name}"))


def _text(value: str) -> str:
    return value.rstrip("\n") + "\n"


def _entry(value: str, uid: int) -> SecretEntry:
    return SecretEntry("0400", uid, sha256(_text(value).encode()).hexdigest())
