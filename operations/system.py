"""Packages with their services, and logins."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.system import InstalledPackages, Login, LoginUser, Unit, Units
from operations import apt
from operations.failed import refused


@operation()
def packages(names: Sequence[str], services: Sequence[str] = ()) -> Generator[PyinfraCommand]:
    """Install packages, and have their services enabled and running.

    One operation for both, because many packages start their service themselves: two would
    announce a start that the run then does not need.
    """
    installed: set[str] = host.get_fact(InstalledPackages, packages=tuple(sorted(names)))
    missing = sorted(set(names) - installed)
    units = host.get_fact(Units, names=tuple(services)) if services else {}
    stopped = [name for name in services if units.get(name) != Unit(enabled=True, running=True)]
    if not missing and not stopped:
        host.noop("packages are installed, services run")
        return
    if missing:
        yield from apt.install(missing)
    if services:
        yield StringCommand("systemctl enable --now", *[QuoteString(name) for name in services])


def sudo_rule(user: str) -> str:
    return f"{user} ALL=(ALL) NOPASSWD:ALL"


def login_problem(user: str, current: Login, keys: Sequence[str]) -> str:
    """Why this login is somebody else's: it has keys that would go, and was not made here."""
    others = [key for key in current.keys if key not in keys and not key.startswith("#")]
    if not current.exists or not others or current.sudoers == sudo_rule(user):
        return ""
    named = ", ".join(" ".join(key.split()[2:]) or f"{key.split()[0]} ...{key.split()[1][-8:]}" for key in others)
    return (
        f"the login {user} is there already and lets in {named}, whom deploy_public_keys does not name: add them, or choose "
        "another deploy_user"
    )


@operation()
def login(user: str, keys: Sequence[str]) -> Generator[PyinfraCommand]:
    """A login with exactly these SSH keys, no password, and sudo without one.

    Owns the user's authorized_keys and /etc/sudoers.d/90-<user>.
    """
    sudoers = sudo_rule(user)
    current = host.get_fact(LoginUser, user=user)
    if problem := login_problem(user, current, keys):
        yield refused(problem)
        return
    creating = not current.exists
    keying = not current.strict_modes or sorted(current.keys) != sorted(keys)
    permitting = current.sudoers != sudoers
    if not (creating or keying or permitting):
        host.noop(f"login {user} is as desired")
        return
    if creating:
        yield StringCommand(f"useradd --create-home --shell /bin/bash {user}")
    if keying:
        # Its home and its group are its own affair where somebody made it before.
        home, group = f"~{user}/.ssh", f"$(id -gn {user})"
        yield StringCommand(f"install -d -m 0700 -o {user} -g {group} {home}")
        yield StringCommand(f"install -m 0600 -o {user} -g {group} /dev/null {home}/authorized_keys.new")
        yield StringCommand(f"cat > {home}/authorized_keys.new", _stdin="\n".join(keys) + "\n")
        yield StringCommand(f"mv -f {home}/authorized_keys.new {home}/authorized_keys")
    if permitting:
        # The name has a dot until it is valid: sudo skips files with a dot, so a broken one locks nobody out.
        staged = f"/etc/sudoers.d/90-{user}.new"
        yield StringCommand(f"install -m 0440 /dev/null {staged}")
        yield StringCommand(f"cat > {staged}", _stdin=sudoers + "\n")
        yield StringCommand(f"visudo -cqf {staged} && mv -f {staged} /etc/sudoers.d/90-{user}")
