"""What goes wrong with rented servers, done on purpose: a pulled cable, a restart, a power cut. See docs/LAB.md.

The cable is pulled at the machine's end of the host's virtual cable (a veth), by a packet filter that drops both ways. From
in there nothing tells it from a network that swallows packets: no error, no reset, no missing carrier, and ARP is still
answered, for an unanswered one would become "no route to host" within seconds. The usual ways are worse stand-ins:
`docker network disconnect` takes the interface and its address away, and a filter inside the host reports its drops to the
host's own TCP, which then gives up early. The filter dies with the cable, that is when the host stops.
"""

from __future__ import annotations

import socket
from pathlib import Path

from lab import containers, engine, flavours, hosts, images
from lab.errors import LabError
from lab.state import Host, State
from lab.waiting import wait_for

INTERFACES = Path("/sys/class/net")
# Services get this long to stop before a reboot kills them; systemd itself gives them 90 s.
STOP_SECONDS = 90
SSH_PORT = 22
SSH_TIMEOUT = 180.0

# Classic BPF: one instruction that returns TC_ACT_SHOT.
DROP = "1,6 0 0 2"
CUT = f"""
ip link set dev "$1" alias "$2"
tc qdisc show dev "$1" clsact | grep -q clsact || tc qdisc add dev "$1" clsact
for way in ingress egress; do
    tc filter replace dev "$1" $way protocol ip prio 1 handle 1 bpf da bytecode "{DROP}"
    tc filter replace dev "$1" $way protocol ipv6 prio 2 handle 1 bpf da bytecode "{DROP}"
done
"""
MEND = """
tc qdisc del dev "$1" clsact 2>/dev/null || ! tc qdisc show dev "$1" clsact | grep -q clsact
ip link set dev "$1" alias ""
"""


def mark(state: State, host: Host) -> str:
    """The alias of a cut cable: what was cut is remembered where it is cut, and forgotten together with it."""
    return f"{state.container(host.name)} is cut"


def aliases() -> dict[str, str]:
    """This machine's interfaces with their aliases."""
    found = {}
    for interface in INTERFACES.iterdir():
        try:
            found[interface.name] = (interface / "ifalias").read_text().strip()
        except OSError:  # gone meanwhile, or no interface: bonding_masters
            continue
    return found


def cut_cable(state: State, host: Host) -> str | None:
    """The machine's end of the host's cable if it is cut, or None."""
    wanted = mark(state, host)
    return next((interface for interface, alias in aliases().items() if alias == wanted), None)


def is_cut(state: State, host: Host) -> bool:
    return cut_cable(state, host) is not None


def cable(state: State, host: Host) -> str:
    """The machine's end of the host's cable; the host must run."""
    require_running(state, host)
    peer = engine.docker("exec", state.container(host.name), "cat", "/sys/class/net/eth0/iflink").stdout.strip()
    for interface in INTERFACES.iterdir():
        try:
            if (interface / "ifindex").read_text().strip() == peer:
                return interface.name
        except OSError:
            continue
    raise LabError(f"this machine does not have the other end of {host.name}'s network interface")


def require_running(state: State, host: Host) -> None:
    found = containers.describe(state.container(host.name))
    if not found or found["state"] != "running":
        raise LabError(f"{host.name} does not run: python -m lab up --name {state.name}")


def _on_the_machines_network(state: State, script: str, *arguments: str) -> None:
    """Run a script with this machine's interfaces, in a container: it needs neither root nor tools here."""
    machine = ("--network=host", "--cap-add=NET_ADMIN", "--entrypoint=sh")
    engine.docker("run", "--rm", f"--label={state.label}", *machine, images.HOST, "-ec", script, "sh", *arguments, timeout=60)


def isolate(state: State, host: Host) -> None:
    """Take a running host off the network: every IP packet is dropped, in and out, its containers' as well."""
    _on_the_machines_network(state, CUT, cable(state, host), mark(state, host))


def reconnect(state: State, host: Host) -> bool:
    """End what `isolate` or a crash left behind; whether there was anything."""
    started = hosts.start_if_stopped(state, host)
    if started:
        wait_until_reachable(state, host)
    interface = cut_cable(state, host)
    if interface:
        _on_the_machines_network(state, MEND, interface)
    return started or interface is not None


def reboot(state: State, host: Host) -> None:
    """An ordinary restart: services stop in order, systemd boots again. Returns when the host takes SSH."""
    require_running(state, host)
    engine.docker("restart", f"--time={STOP_SECONDS}", state.container(host.name))
    wait_until_reachable(state, host)


def crash(state: State, host: Host, stay_off: bool = False) -> None:
    """A power cut: every process of the host ends at once. It boots again, unless it is to stay off."""
    name = state.container(host.name)
    found = containers.describe(name)
    if found and found["state"] == "running":
        engine.docker("kill", "--signal=KILL", name)
        wait_for(lambda: _off(name), SSH_TIMEOUT, f"{host.name} did not end")
    if not stay_off:
        reconnect(state, host)


def destroy(state: State, host: Host) -> None:
    """The machine is gone for good, with its disks. `up` brings an empty one of the same name and address."""
    containers.remove_volumes_of(state, host.name)


def _off(name: str) -> bool:
    found = containers.describe(name)
    return found is not None and found["state"] == "exited"


def wait_until_reachable(state: State, host: Host) -> None:
    """Until the host has booted and its sshd greets whoever connects."""
    hosts.wait_until_ready(state, host)
    port = flavours.of_host(state, host).ssh_port
    wait_for(lambda: takes_ssh(host.address, port=port), SSH_TIMEOUT, f"{host.name} does not take SSH at {host.address}")


def takes_ssh(address: str, seconds: float = 2, port: int = SSH_PORT) -> bool:
    """Whether something that speaks SSH answers there."""
    try:
        with socket.create_connection((address, port), seconds) as connection:
            connection.settimeout(seconds)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
