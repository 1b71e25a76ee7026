"""The Docker Engine: the one that is there, or one of the host's archives; its configuration, merged into what stands there."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence

from pyinfra import host, logger, state
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.host_files import APPLIED, Holds, ManagedFile, marker
from facts.system import HostSystem, Unit, Units, Upgradable
from operations import apt
from operations.failed import Failed, refused
from operations.files import differs, digest, show, written
from operations.interrupts import guard
from signupflow.hosts.docker import choose, merged, upgradable
from signupflow.hosts.system import DAEMON_JSON, OWN_KEYS

# An engine that does not answer is taken for one that does.
RUNS_CONTAINERS = '! docker ps -q || test -n "$(docker ps -q)"'


@operation()
def docker(wanted: Mapping[str, object], allow_interrupts: Collection[str] = ()) -> Generator[PyinfraCommand]:
    """Docker and its Compose plugin, running with these keys in its configuration; whatever else stands in there stays.

    The configuration is written before the packages, so the engine's first start uses it.
    A later change restarts the engine, which is refused while containers run unless `docker` may be interrupted.
    """
    system = host.get_fact(HostSystem)
    choice, daemon = choose(system), merged(system.daemon_json, system.own_keys, wanted)
    if problem := choice.problem or daemon.problem:
        yield refused(problem)
        return
    unit = host.get_fact(Units, names=("docker.service",)).get("docker.service")
    running = unit == Unit(enabled=True, running=True)
    current = host.get_fact(ManagedFile, path=DAEMON_JSON)
    # Somebody's own file keeps its mode and owner.
    mode, owner = (current.mode, current.owner) if current.exists else ("0644", "root:root")
    writing = differs(current, daemon.text, mode, owner)
    applied = current.applied == digest(daemon.text)
    if running and not choice.packages and not writing and applied:
        host.noop("Docker runs as configured")
        return
    show(current, DAEMON_JSON, daemon.text, mode, owner)
    restarting = bool(unit and unit.running) and (writing or not applied)
    if restarting and host.get_fact(Holds, condition=RUNS_CONTAINERS):
        yield from guard("docker", "its configuration changed", allow_interrupts)
    if writing:
        yield StringCommand("rm -f", QuoteString(marker(DAEMON_JSON)))  # as in operations.files
        yield from written(OWN_KEYS, daemon.own, "0644", "root:root")
        yield from written(DAEMON_JSON, daemon.text, mode, owner)
    note = StringCommand(f"mkdir -p -m 0755 {APPLIED} && echo {digest(daemon.text)} > {marker(DAEMON_JSON)}")
    if not restarting:
        yield note  # the engine reads it when it starts
    if choice.packages:
        yield from _installed(choice.packages)
    if restarting:
        # live-restore is taken up by a reload: then containers outlive the restart that the other keys need.
        # A configuration that cannot be loaded ends the step there, by the restart.
        yield StringCommand("systemctl reload docker || true")
    yield StringCommand("systemctl enable docker && systemctl", "restart" if restarting else "start", "docker")
    if restarting:
        yield note


def _installed(names: Sequence[str]) -> Iterator[PyinfraCommand]:
    """By lists that are fresh: where there were none, they may know of other packages than what such a host usually has."""
    yield apt.update()
    if state.is_executing:
        choice = choose(host.get_fact(HostSystem))
        if choice.problem:
            yield Failed(choice.problem)
            return
        names = choice.packages or names
    yield from apt.install(names, refresh=False)


@operation()
def upgraded(again: bool = False) -> Generator[PyinfraCommand]:
    """Docker's packages as new as their archive has them; containers go on meanwhile (`live-restore`).

    With `again` the present version is installed once more, which restarts the engine as an upgrade does.
    """
    names = upgradable(host.get_fact(HostSystem))
    newer = host.get_fact(Upgradable, packages=names)
    if not newer and not again:
        host.noop("Docker's packages are the newest")
        return
    for name, version in sorted(newer.items()):
        logger.info(f"{host.print_prefix}    {name} to {version}")
    options = "--reinstall" if again and not newer else "--only-upgrade"
    install = f"{apt.APT} install -y --no-install-recommends --no-remove {options} {' '.join(names)}"
    count = "docker ps -q | wc -l"
    yield apt.update()
    # The same containers before and after, or the host's step fails.
    yield apt.Apt(
        "the upgrade of Docker's packages",
        f"before=$({count}) && {install} || exit 1; systemctl is-active --quiet docker || systemctl start docker\n"
        f'after=$({count}); test "$before" = "$after" || {{ echo "$before containers ran before, $after run now" >&2; exit 1; }}',
    )
