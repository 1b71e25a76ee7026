"""Configuration files: written whole, validated before they replace the old one, put into effect once."""

from __future__ import annotations

from collections.abc import Generator
from hashlib import sha256
from pathlib import PurePosixPath

from pyinfra import host, logger, state
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.host_files import APPLIED, Holds, HostFile, ManagedFile, marker
from operations.lockout import guarded, keep
from signupflow.diff import changed_lines


def digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def differs(current: HostFile, content: str, mode: str, owner: str) -> bool:
    return (current.content, current.mode, current.owner) != (content, mode, owner)


def show(current: HostFile, dest: str, content: str, mode: str, owner: str) -> None:
    """Print what would change when pyinfra runs with --diff."""
    if not state.config.DIFF:
        return
    for line in changed_lines(current.content or "", content, dest):
        logger.info(f"{host.print_prefix}    {line}")
    if current.exists and (current.mode, current.owner) != (mode, owner):
        logger.info(f"{host.print_prefix}    {dest}: {current.mode} {current.owner} -> {mode} {owner}")


def written(dest: str, content: str, mode: str, owner: str, validate: str = "") -> Generator[StringCommand]:
    """Commands that write a file beside its place, validate it (`{}` is its path) and rename it over."""
    new = QuoteString(f"{dest}.new")
    yield StringCommand("mkdir -p", QuoteString(str(PurePosixPath(dest).parent)), "&& install -m 0600 /dev/null", new)
    yield StringCommand("cat >", new, _stdin=content)
    if validate:
        yield StringCommand(validate.format(f"{dest}.new"))
    yield StringCommand("chown", owner, new, "&& chmod", mode, new, "&& mv -f", new, QuoteString(dest))


@operation()
def config(
    dest: str,
    content: str,
    mode: str = "0644",
    owner: str = "root:root",
    validate: str = "",
    apply: str = "",
    holds: str = "true",
    undo: str = "",
) -> Generator[PyinfraCommand]:
    """Own the whole of a configuration file, and put it into effect.

    `apply` runs when the file changed, when an earlier run was cut off before it, or when
    `holds` (a condition on the running system) is false. A marker under /var/lib/signupflow/applied
    records the hash that was last applied, so a killed run converges. A failure of `validate` leaves the old file.

    With `undo`, the file decides who may connect: it stays only when a new connection is made after `apply`; otherwise the old
    file is put back, and `undo` puts that into effect.
    """
    content = content if content.endswith("\n") else content + "\n"
    current = host.get_fact(ManagedFile, path=dest)
    writing = differs(current, content, mode, owner)
    applying = bool(apply) and (
        writing or current.applied != digest(content) or (holds != "true" and not host.get_fact(Holds, condition=holds))
    )
    if not writing and not applying:
        host.noop(f"{dest} is as desired and in effect")
        return
    if writing:
        show(current, dest, content, mode, owner)
        if current.applied:
            # It may name this very content from before somebody changed the file: cut off here, the next run must apply it.
            yield StringCommand("rm -f", QuoteString(marker(dest)))
        if undo:
            yield keep(dest)
        yield from written(dest, content, mode, owner, validate)
    if applying:
        if undo:
            if not writing:
                yield keep(dest)
            yield from guarded(PurePosixPath(dest).stem, dest, undo, apply)
        else:
            yield StringCommand(apply)
        yield StringCommand(f"mkdir -p {APPLIED} && echo {digest(content)} >", QuoteString(marker(dest)))


@operation()
def absent(path: str, apply: str = "") -> Generator[StringCommand]:
    """Take a configuration file away and have that taken up: `apply` runs after it, also when a killed run had not."""
    current = host.get_fact(ManagedFile, path=path)
    if not current.exists and not current.applied:
        host.noop(f"{path} is not there")
        return
    if current.exists:
        show(current, path, "", current.mode, current.owner)
        yield StringCommand("rm -f", QuoteString(path))
    if apply:
        yield StringCommand(apply)
    # Last: as long as it is there, a run that was cut off is repeated.
    yield StringCommand("rm -f", QuoteString(marker(path)))
