"""The host's own system: packages, services, logins, sshd, and what decides whether it can be deployed to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand

from signupflow.hosts import access, sshd, system
from signupflow.hosts.packages import removed, simulated
from signupflow.hosts.system import System


class InstalledPackages(FactBase[set[str]]):
    """Names among `packages` that dpkg has installed, on hold or not."""

    @staticmethod
    def default() -> set[str]:
        return set()

    def command(self, packages: tuple[str, ...]) -> StringCommand:
        quoted = [QuoteString(name) for name in packages]
        return StringCommand("dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'", *quoted, "2>/dev/null || true")

    def process(self, output: list[str]) -> set[str]:
        return {line.split()[1] for line in output if line[1:2] == "i"}


class Upgradable(FactBase[dict[str, str]]):
    """Package to the version that its archive has, for those of `packages` that are installed in an older one.

    By the package lists as they are: the operation that upgrades refreshes them first.
    """

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def command(self, packages: tuple[str, ...]) -> StringCommand:
        quoted = [QuoteString(name) for name in packages]
        return StringCommand("LC_ALL=C apt-cache policy", *quoted)

    def process(self, output: list[str]) -> dict[str, str]:
        found, name, installed = {}, "", ""
        for line in output:
            if not line.startswith(" "):
                name = line.rstrip(":")
            elif (word := line.strip()).startswith("Installed: "):
                installed = word.removeprefix("Installed: ")
            elif word.startswith("Candidate: "):
                candidate = word.removeprefix("Candidate: ")
                if installed != "(none)" and candidate not in (installed, "(none)"):
                    found[name] = candidate
        return found


@dataclass(frozen=True)
class Unit:
    """A systemd unit. `running` is also true where the unit's own conditions forbid it to run (a container's clock)."""

    enabled: bool
    running: bool


class Units(FactBase[dict[str, Unit]]):
    """State of systemd units by name; a unit that does not exist is neither enabled nor running."""

    @staticmethod
    def default() -> dict[str, Unit]:
        return {}

    def command(self, names: tuple[str, ...]) -> StringCommand:
        quoted = [QuoteString(name) for name in names]
        properties = "Id,LoadState,UnitFileState,ActiveState,ConditionResult,ConditionTimestampMonotonic"
        return StringCommand(f"systemctl show --property={properties}", *quoted)

    def process(self, output: list[str]) -> dict[str, Unit]:
        units = {}
        for block in "\n".join(output).split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            if "Id" not in values:
                continue
            forbidden = values.get("ConditionTimestampMonotonic", "0") != "0" and values.get("ConditionResult") == "no"
            units[values["Id"]] = Unit(
                enabled=values.get("UnitFileState") in ("enabled", "static", "indirect"),
                running=values.get("ActiveState") in ("active", "reloading") or forbidden,
            )
        return units


@dataclass(frozen=True)
class Login:
    """A login user: its authorized keys (lines) and sudoers line, as they are on the host."""

    exists: bool = False
    keys: tuple[str, ...] = ()
    sudoers: str = ""
    strict_modes: bool = False


class LoginUser(FactBase[Login]):
    """Whether the login exists, what it may do, and whether sshd will accept its files' modes."""

    @staticmethod
    def default() -> Login:
        return Login()

    def command(self, user: str) -> StringCommand:
        # Only the script's own words are unquoted; the name was validated as a slug.
        return StringCommand(
            f"if id {user} >/dev/null 2>&1; then home=$(getent passwd {user} | cut -d: -f6);"
            f" echo exists;"
            f" test \"$(stat -c '%a %U' $home/.ssh 2>/dev/null)\" = '700 {user}' &&"
            f" test \"$(stat -c '%a %U' $home/.ssh/authorized_keys 2>/dev/null)\" = '600 {user}' && echo strict;"
            f" sed 's/^/key /' $home/.ssh/authorized_keys 2>/dev/null;"
            f" sed 's/^/sudoers /' /etc/sudoers.d/90-{user} 2>/dev/null; fi; true"
        )

    def process(self, output: list[str]) -> Login:
        keys = tuple(line[4:] for line in output if line.startswith("key ") and line[4:].strip())
        sudoers = "\n".join(line[8:] for line in output if line.startswith("sudoers "))
        return Login("exists" in output, keys, sudoers, "strict" in output)


class HostSystem(FactBase[System]):
    """What decides whether and how a host can be deployed to, in one round trip."""

    @staticmethod
    def default() -> System:
        return System()

    def command(self) -> str:
        return system.SCRIPT

    def process(self, output: list[str]) -> System:
        return system.parse(output)


class Removals(FactBase[tuple[str, ...]]):
    """Packages that apt would remove to install these; by the package lists as they are."""

    @staticmethod
    def default() -> tuple[str, ...]:
        return ()

    def command(self, packages: tuple[str, ...]) -> str:
        return simulated([shlex.quote(name) for name in packages]) if packages else "true"

    def process(self, output: list[str]) -> tuple[str, ...]:
        return removed(output)


class SshdAsWanted(FactBase[sshd.Sshd]):
    """What sshd would do with this drop-in in its place."""

    _user = ""

    @staticmethod
    def default() -> sshd.Sshd:
        return sshd.Sshd()

    def command(self, drop_in: str, user: str) -> str:
        self._user = user
        return sshd.script(drop_in, user)

    def process(self, output: list[str]) -> sshd.Sshd:
        return sshd.parse(output, self._user)


class SshAccess(FactBase[access.Access]):
    """The port and the login of the connection in use, and sshd's own ports."""

    @staticmethod
    def default() -> access.Access:
        return access.Access()

    def command(self) -> str:
        return access.SCRIPT

    def process(self, output: list[str]) -> access.Access:
        return access.parse(output)
