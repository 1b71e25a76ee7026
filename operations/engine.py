"""The Docker Engine from the distribution."""

from __future__ import annotations

from collections.abc import Collection, Generator

from pyinfra import host, logger
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.host_files import APPLIED, Holds, ManagedFile, marker
from facts.system import InstalledPackages, OsRelease, Unit, Units, Upgradable
from operations.failed import refused
from operations.files import differs, digest, show, written
from operations.interrupts import guard
from operations.system import APT, install_commands
from signupflow.distributions import SUPPORTED, supported

CONFIG = "/etc/docker/daemon.json"

# An engine that does not answer is taken for one that does.
RUNS_CONTAINERS = '! docker ps -q || test -n "$(docker ps -q)"'

# Package names as the distributions have them: Compose v2 is `docker-compose` in Debian 13 only.
PACKAGES = {
    "debian": ("docker.io", "docker-cli", "docker-compose"),
    "ubuntu": ("docker.io", "docker-compose-v2"),
}


@operation()
def docker(daemon_json: str, allow_interrupts: Collection[str] = ()) -> Generator[PyinfraCommand]:
    """Docker and its Compose plugin, running with this configuration.

    The configuration is written before the packages, so the engine's first start uses it.
    A later change restarts the engine, which is refused while containers run unless `docker` may be interrupted.
    """
    found = host.get_fact(OsRelease)
    names = PACKAGES.get(found.id, ())
    if not supported(found.id, found.version):
        yield refused(f"{found.id} {found.version} is an unsupported distribution: use {SUPPORTED}")
        return
    installed: set[str] = host.get_fact(InstalledPackages, packages=names)
    missing = sorted(set(names) - installed)
    current = host.get_fact(ManagedFile, path=CONFIG)
    unit = host.get_fact(Units, names=("docker.service",)).get("docker.service")
    running = unit == Unit(enabled=True, running=True)
    writing = differs(current, daemon_json, "0644", "root:root")
    applied = current.applied == digest(daemon_json)
    if running and not missing and not writing and applied:
        host.noop("Docker runs as configured")
        return
    show(current, CONFIG, daemon_json, "0644", "root:root")
    restarting = bool(unit and unit.running) and (writing or not applied)
    if restarting and host.get_fact(Holds, condition=RUNS_CONTAINERS):
        yield from guard("docker", "its configuration changed", allow_interrupts)
    if writing:
        yield StringCommand("rm -f", QuoteString(marker(CONFIG)))  # as in operations.files
        yield from written(CONFIG, daemon_json, "0644", "root:root")
    note = StringCommand(f"mkdir -p {APPLIED} && echo {digest(daemon_json)} > {marker(CONFIG)}")
    if not restarting:
        yield note  # the engine reads it when it starts
    if missing:
        yield from install_commands(missing)
    yield StringCommand("systemctl enable docker && systemctl", "restart" if restarting else "start", "docker")
    if restarting:
        yield note


@operation()
def upgraded(again: bool = False) -> Generator[StringCommand]:
    """Docker's packages as new as the distribution's archive has them; containers go on meanwhile (`live-restore`).

    With `again` the present version is installed once more, which restarts the engine as an upgrade does.
    """
    names = PACKAGES.get(host.get_fact(OsRelease).id, ())
    newer = host.get_fact(Upgradable, packages=names)
    if not newer and not again:
        host.noop("Docker's packages are the newest")
        return
    for name, version in sorted(newer.items()):
        logger.info(f"{host.print_prefix}    {name} to {version}")
    install = "install -y --no-install-recommends " + ("--reinstall" if again and not newer else "--only-upgrade")
    count = "docker ps -q | wc -l"
    yield StringCommand(APT, "update")
    # The same containers before and after, or the host's step fails.
    yield StringCommand(
        f"before=$({count}) &&", APT, install, *[QuoteString(name) for name in names],
        "|| exit 1; systemctl is-active --quiet docker || systemctl start docker;"
        f' after=$({count}); test "$before" = "$after" ||'
        ' { echo "$before containers ran before, $after run now" >&2; exit 1; }',
    )  # fmt: skip
