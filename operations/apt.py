"""apt-get as a step: it waits for whoever holds its locks and says for whom, and removes no package."""

from __future__ import annotations

import shlex
import time
from collections.abc import Generator, Sequence
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import Host, State, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.util import print_host_combined_output

from signupflow.hosts import locks
from signupflow.hosts.packages import removal_problem, simulated

# A first boot's upgrades take minutes; a deploy waits so long, and no longer.
LOCK_SECONDS = 600.0
POLL_SECONDS = 2.0
APT = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C apt-get -q -o DPkg::Lock::Timeout=5 -o Acquire::Retries=3"
# apt's own words for a lock that somebody took between the look and the call.
TAKEN = ("could not get lock", "unable to lock", "unable to acquire the dpkg")
MARK = "signupflow-locked"


class Apt(PyinfraCommand):
    """Runs `script` when nobody holds the locks of apt and dpkg, again when somebody took one meanwhile. `what` names it."""

    def __init__(self, what: str, script: str, seconds: float = LOCK_SECONDS) -> None:
        super().__init__()
        self.what, self.script, self.seconds = what, script, seconds
        self.reason = ""

    def __repr__(self) -> str:
        return f"Apt({self.what})"

    def execute(self, state: State, host: Host, connector_arguments: Any) -> bool:
        # The locks' holders are printed and nothing is run, or it is run.
        script = (
            f'held=$({locks.HOLDERS.strip()}\n)\nif test -n "$held"; then echo {MARK}; echo "$held"; exit 75; fi\n{self.script}'
        )
        deadline, waited_for = time.monotonic() + self.seconds, ""
        while True:
            ok, output = host.run_shell_command(StringCommand("sh -c", shlex.quote(script)), **connector_arguments)
            if ok:
                return True
            said = [line.line for line in output]
            holder = next(locks.holders(said), None)
            if holder is None and not any(words in line.lower() for line in said for words in TAKEN):
                return self._failed(state, host, output, said)
            if holder is not None and str(holder) != waited_for:
                waited_for = str(holder)
                logger.warning(f"{host.print_prefix}waits up to {self.seconds / 60:.0f} min: {holder}")
            if time.monotonic() >= deadline:
                self.reason = (
                    f"{self.what}: {waited_for or 'another program holds a lock of apt'} for {self.seconds:.0f} s: wait for it"
                )
                logger.error(f"{host.print_prefix}Error: {self.reason}")
                return False
            gevent.sleep(POLL_SECONDS)

    def _failed(self, state: State, host: Host, output: Any, said: list[str]) -> bool:
        gone = [line.removeprefix("signupflow-removes ") for line in said if line.startswith("signupflow-removes ")]
        if gone:
            self.reason = f"{self.what}: {removal_problem(gone[0].split(': ')[0].split(), gone[0].split(': ')[1].split())}"
            logger.error(f"{host.print_prefix}Error: {self.reason}")
            return False
        print_host_combined_output(host, output)
        self.reason = f"{self.what} failed: {next((line for line in reversed(said) if line.strip()), 'apt-get said nothing')}"
        return False


# A first deploy installs three times within a few minutes, the bootstrap before it once: the lists are fetched for all of them.
FRESH_MINUTES = 10
REFRESHED = "/run/signupflow-apt-update"
# What apt reads; whoever has changed any of it since means something by it.
READ = (
    "/etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/preferences /etc/apt/preferences.d /etc/apt/keyrings"
    " /var/lib/apt/lists"
)


def update() -> Apt:
    """Fetch the lists, unless a run of ours has within the last ten minutes and nothing that apt reads has changed since."""
    fresh = f'test -n "$(find {REFRESHED} -mmin -{FRESH_MINUTES} 2>/dev/null)"'
    same = f'test -z "$(find {READ} -newer {REFRESHED} -print -quit 2>/dev/null)"'
    return Apt("apt-get update", f"{{ {fresh} && {same}; }} || {{ {APT} update && touch {REFRESHED}; }}")


def install(names: Sequence[str], refresh: bool = True) -> Generator[Apt]:
    """Refresh the lists (unless that was just done) and install; finish first what a run that was cut off left half configured.

    What would push another package out is not done: `--no-remove` is apt's own word for it, the simulation says which.
    """
    quoted = " ".join(shlex.quote(name) for name in sorted(names))
    if refresh:
        yield update()
    command = f"{APT} install -y --no-install-recommends --no-remove {quoted}"
    yield Apt(
        f"apt-get install {quoted}",
        f"gone=$({simulated([quoted])} | sed -n 's/^Remv \\([^ ]*\\).*/\\1/p' | tr '\\n' ' ')\n"
        f'if test -n "$gone"; then echo "signupflow-removes {quoted}: $gone"; exit 1; fi\n'
        f"{command} || {{ DEBIAN_FRONTEND=noninteractive dpkg --configure -a && {command}; }}",
    )
