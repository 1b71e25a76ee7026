"""`lab up` and `lab down`: every step leaves what it is about in place, whatever state it finds."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rich.console import Console

from lab import containers, engine, faults, flavours, hosts, images, inventory, network, pki, servers, topology
from lab.errors import LabError
from lab.paths import LAB_DIR
from lab.state import LABEL, State, check_name, folder, load, write


class Steps:
    """Progress for a person: one line per finished step, with its seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = time.monotonic()

    def done(self, what: str, seconds: float, note: str = "") -> None:
        total = time.monotonic() - self.started
        tail = f"  {note}" if note else ""
        self.console.print(f"{total:6.1f} s  {what} ({seconds:.1f} s){tail}", highlight=False)

    def begun(self, what: str) -> None:
        self.console.print(f"          {what} ...", highlight=False)

    @contextmanager
    def step(self, what: str) -> Iterator[list[str]]:
        """The yielded list takes notes to print with the finished step."""
        notes: list[str] = []
        started = time.monotonic()
        status = self.console.status(f"{what} ...")
        with status:
            yield notes
        self.done(what, time.monotonic() - started, ", ".join(notes))


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Two commands on the same lab take turns. The lock lies beside the lab's folder, which `down` removes."""
    LAB_DIR.mkdir(exist_ok=True)
    with (LAB_DIR / f"{check_name(name)}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LabError(f"another command is working on lab {name}") from error
        yield


def up(
    name: str, wanted: str | None, count: int | None, lifetime: int | None, console: Console, flavour: str | None = None
) -> State:
    check_name(name)
    if count is not None and not 1 <= count <= network.MAX_HOSTS:
        raise LabError(f"--hosts takes 1 to {network.MAX_HOSTS}")
    steps = Steps(console)
    with only_one(name):
        _check_topology(load(name), wanted, count)
        _check_flavour(load(name), flavour)
        with steps.step("Docker Engine") as notes:
            engine.ensure(steps.begun)
            notes.append(f"cgroup v{engine.cgroup_version()}")
        cold = images.ensure(lambda tag, seconds: steps.done(f"image {tag}", seconds), steps.begun)
        if suite := flavours.BY_NAME[flavour].suite if flavour else "":
            cold |= images.ensure_host_of(suite, lambda tag, seconds: steps.done(f"image {tag}", seconds), steps.begun)
        with steps.step("network and keys") as notes:
            state = _state(name, wanted, count, lifetime, flavour)
            _ensure_network(state)
            pki.ensure_ssh_key(state.folder)
            pki.ensure_age_keys(state.folder)
            pki.ensure_servers(state)
            notes.append(state.subnet)
        with steps.step("DNS"):
            servers.ensure_dns(state)
        cold |= _start_everything(state, steps)
        with steps.step("inventory"):
            _write_files(state)
    total = time.monotonic() - steps.started
    console.print(f"lab {name} is up: {total:.1f} s, {'cold' if cold else 'warm'}", highlight=False)
    return state


def _check_topology(state: State | None, wanted: str | None, count: int | None) -> None:
    """Before anything starts. Hosts hold what their roles brought them, so a lab keeps the topology it was made with."""
    if state and wanted and wanted != state.topology:
        raise LabError(
            f"lab {state.name} has the topology {state.topology}, not {wanted}; first: python -m lab down --name {state.name}"
        )
    chosen = topology.check(state.topology if state else wanted or topology.SINGLE)
    if count is not None and count < topology.minimum(chosen):
        raise LabError(f"the topology {chosen} needs at least {topology.minimum(chosen)} hosts")


def _check_flavour(state: State | None, flavour: str | None) -> None:
    """A host has one past: another one needs another machine."""
    flavours.check(flavour or "")
    if state is None or flavour is None or flavour == state.flavour:
        return
    first = state.host_list()[0]
    if containers.describe(state.container(first.name)) is not None:
        destroy = f"python -m lab destroy --name {state.name} {first.name}"
        raise LabError(f"{first.fqdn} is there, of the flavour {state.flavour or 'plain'}; first: {destroy}")


def _state(name: str, wanted: str | None, count: int | None, lifetime: int | None, flavour: str | None) -> State:
    containers.refuse_foreign(name, folder(name))
    state = load(name)
    if state is None:
        # What an unreadable state leaves behind would not fit the new addresses.
        _remove(name)
        chosen = wanted or topology.SINGLE
        subnet = str(network.choose_subnet(name, network.taken()))
        state = State(name=name, subnet=subnet, hosts=topology.minimum(chosen), topology=chosen)
    if count is not None:
        state.hosts = count
    if flavour is not None:
        state.flavour = flavour
    state.hosts = max(state.hosts, flavours.of(state).hosts)
    if lifetime is not None:
        state.certificate_lifetime = lifetime or None
    state.save()
    return state


def _ensure_network(state: State) -> None:
    name = containers.network_name(state)
    if engine.docker("network", "inspect", name, check=False).returncode == 0:
        return
    engine.docker(
        "network",
        "create",
        f"--label={state.label}",
        f"--subnet={state.subnet}",
        f"--opt=com.docker.network.driver.mtu={network.uplink_mtu()}",
        name,
    )


def _start_everything(state: State, steps: Steps) -> bool:
    """Hosts boot while the servers start and the images are pushed; whether an image had to be pushed."""
    _remove_surplus_hosts(state)
    with ThreadPoolExecutor(max_workers=4) as pool:
        kinds = dict(pool.map(lambda host: (host.name, hosts.ensure(state, host)), state.host_list()))
    for host in state.host_list():
        if faults.is_cut(state, host):
            faults.reconnect(state, host)
            kinds[host.name] += ", back on the network"

    def timed(what: str, work: Callable[[], object]) -> None:
        started = time.monotonic()
        work()
        steps.done(what, time.monotonic() - started)

    def registry() -> bool:
        timed("registry", lambda: servers.ensure_registry(state))
        pushed = False
        for tag in images.SERVED:
            started = time.monotonic()
            if servers.ensure_served(state, tag):
                pushed = True
                steps.done(f"registry serves {tag}", time.monotonic() - started)
        state.save()
        if pushed:
            timed("registry content kept for other labs", lambda: servers.keep_seed(state))
        return pushed

    with ThreadPoolExecutor(max_workers=4) as pool:
        serving = pool.submit(registry)
        others = [
            pool.submit(timed, "ACME", lambda: servers.ensure_acme(state)),
            pool.submit(timed, "S3", lambda: servers.ensure_s3(state)),
            pool.submit(timed, "sink", lambda: servers.ensure_sink(state)),
        ]
        for host in state.host_list():
            started = time.monotonic()
            hosts.wait_until_ready(state, host)
            if flavours.apply(state, host):
                kinds[host.name] += f", {state.flavour}"
            steps.done(f"host {host.fqdn} {host.address}", time.monotonic() - started, kinds[host.name])
        for other in others:
            other.result()
        return serving.result()


def _remove_surplus_hosts(state: State) -> None:
    """`up --hosts 1` after `--hosts 3` takes the last two away."""
    for number in range(state.hosts + 1, network.MAX_HOSTS + 1):
        name = f"h{number}"
        if containers.describe(state.container(name)) is None:
            break
        engine.docker("rm", "--force", "--volumes", state.container(name))
        for what in ("docker", "containerd"):
            engine.docker("volume", "rm", "--force", state.container(f"{name}-{what}"))


def _write_files(state: State) -> None:
    write(state.folder / "known_hosts", hosts.known_hosts(state))
    flavours.write_ssh_config(state)
    write(inventory.path(state), inventory.render(state))


def down(name: str, console: Console) -> None:
    """Remove every container, volume, network and file of a lab, whatever state it is in."""
    check_name(name)
    started = time.monotonic()
    with only_one(name):
        if engine.answers():
            containers.refuse_foreign(name, folder(name))
            _remove(name)
        elif folder(name).is_dir():
            console.print("no Docker Engine answers: only the lab's files are removed", highlight=False)
        if folder(name).is_dir():
            shutil.rmtree(folder(name))
    (LAB_DIR / f"{name}.lock").unlink(missing_ok=True)
    console.print(f"lab {name} is gone: {time.monotonic() - started:.1f} s", highlight=False)


def _remove(name: str) -> None:
    found = containers.labelled(name)
    if found["container"]:
        engine.docker("rm", "--force", "--volumes", *found["container"])
    if found["volume"]:
        engine.docker("volume", "rm", "--force", *found["volume"])
    for identity in found["network"]:
        engine.docker("network", "rm", identity)
    left = containers.labelled(name)
    if any(left.values()):
        raise LabError(f"lab {name} still has {left}: docker ps --all --filter label={LABEL}={name}")
