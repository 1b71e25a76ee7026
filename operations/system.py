"""Packages with their services, and logins."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from facts.system import InstalledPackages, LoginUser, Unit, Units

APT = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"


def install_commands(missing: Sequence[str]) -> Generator[StringCommand]:
    """Refresh the package lists and install; finish first what a run that was cut off left half configured."""
    yield StringCommand(APT, "update")
    install = StringCommand(APT, "install -y --no-install-recommends", *[QuoteString(name) for name in missing])
    yield StringCommand(install, "|| { DEBIAN_FRONTEND=noninteractive dpkg --configure -a &&", install, "; }")


@operation()
def packages(names: Sequence[str], services: Sequence[str] = ()) -> Generator[StringCommand]:
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
        yield from install_commands(missing)
    if services:
        yield StringCommand("systemctl enable --now", *[QuoteString(name) for name in services])


@operation()
def login(user: str, keys: Sequence[str]) -> Generator[StringCommand]:
    """A login with exactly these SSH keys, no password, and sudo without one.

    Owns the user's authorized_keys and /etc/sudoers.d/90-<user>.
    """
    sudoers = f"{user} ALL=(ALL) NOPASSWD:ALL"
    current = host.get_fact(LoginUser, user=user)
    creating = not current.exists
    keying = not current.strict_modes or sorted(current.keys) != sorted(keys)
    permitting = current.sudoers != sudoers
    if not (creating or keying or permitting):
        host.noop(f"login {user} is as desired")
        return
    if creating:
        yield StringCommand(f"useradd --create-home --shell /bin/bash {user}")
    if keying:
        home = f"/home/{user}/.ssh"
        yield StringCommand(f"install -d -m 0700 -o {user} -g {user} {home}")
        yield StringCommand(f"install -m 0600 -o {user} -g {user} /dev/null {home}/authorized_keys.new")
        yield StringCommand(f"cat > {home}/authorized_keys.new", _stdin="\n".join(keys) + "\n")
        yield StringCommand(f"mv -f {home}/authorized_keys.new {home}/authorized_keys")
    if permitting:
        # The name has a dot until it is valid: sudo skips files with a dot, so a broken one locks nobody out.
        staged = f"/etc/sudoers.d/90-{user}.new"
        yield StringCommand(f"install -m 0440 /dev/null {staged}")
        yield StringCommand(f"cat > {staged}", _stdin=sudoers + "\n")
        yield StringCommand(f"visudo -cqf {staged} && mv -f {staged} /etc/sudoers.d/90-{user}")
