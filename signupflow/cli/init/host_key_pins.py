"""Each host's key: fetched once, held against what is pinned and what one was told, shown to a person, then pinned."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import click

from signupflow.cli.init import host_keys, network_checks
from signupflow.cli.init.checks import FAIL, OK, Check
from signupflow.cli.init.config import Answers, Host
from signupflow.cli.init.files import File
from signupflow.cli.init.host_keys import HostKey
from signupflow.errors import OperatorError

WHAT = "host key"


@dataclass(frozen=True)
class Pin:
    """A host's key and how it is judged. `compared` is whether somebody has said what it must be."""

    host: Host
    row: Check
    key: HostKey | None = None
    pinned: bool = False
    compared: bool = False


def fetch(answers: Answers, told: Mapping[str, str]) -> list[Pin]:
    """`told` is host name to the fingerprint that its key must have."""
    unknown = sorted(set(told) - {host.name for host in answers.hosts})
    if unknown:
        raise OperatorError(f"--host-key-fingerprint names {unknown[0]}, which is the name of no --host")
    with ThreadPoolExecutor() as pool:
        shown = pool.map(lambda host: network_checks.host_keys(host, answers.ssh_port), answers.hosts)
        text, path = _known_hosts(answers), answers.named(answers.known_hosts)
        return [
            judge(host, keys, host_keys.pinned(text, _marker(answers, host)), told.get(host.name, ""), answers.ssh_port, path)
            for host, keys in zip(answers.hosts, shown, strict=True)
        ]


def judge(host: Host, shown: Sequence[HostKey], pinned: Sequence[HostKey], told: str, port: int, known_hosts: str) -> Pin:
    """Which key is the host's. One that is pinned must still be shown; one that was told must be the one."""
    if not shown:
        remedy = f"is the host on, is the address right, is port {port} open?"
        return Pin(host, Check(host.name, WHAT, FAIL, f"no SSH answers at {host.address}:{port}", remedy))
    lost = host_keys.stranger(shown, pinned)
    if lost:
        now = next((key for key in shown if key.kind == lost.kind), shown[0])
        remedy = "possible man in the middle; if the host was reinstalled, compare the new key and remove the old one: "
        remedy += f"ssh-keygen -R '{host_keys.marker(host.address, port)}' -f {known_hosts}"
        result = f"IS NOT THE PINNED ONE: {now.fingerprint}, pinned is {lost.fingerprint}"
        return Pin(host, Check(host.name, WHAT, FAIL, result, remedy))
    choice = pinned or shown
    key = next((key for key in choice if key.fingerprint == told), choice[0])
    if told and key.fingerprint != told:
        result = f"{key.fingerprint} is not the one given, {told}"
        return Pin(host, Check(host.name, WHAT, FAIL, result, "do not continue before you know why"))
    state = "pinned already" if pinned else "the one given" if told else "new"
    return Pin(host, Check(host.name, WHAT, OK, f"{key.fingerprint} ({state})"), key, bool(pinned), bool(pinned or told))


def confirm(pins: Sequence[Pin], interactive: bool) -> None:
    """Nobody but a person can tell whether a key that is seen for the first time is the host's."""
    new = [pin for pin in pins if not pin.compared]
    if not new:
        return
    if not interactive:
        flags = ", ".join(f"--host-key-fingerprint {pin.host.name}=SHA256:..." for pin in new)
        raise OperatorError(f"the host keys were not compared: give {flags}, or --yes to trust what is fetched")
    click.echo("Host keys seen for the first time. Each host's console or your provider shows what they must be:")
    for pin in new:
        click.echo(f"  {pin.host.name}  {pin.row.result.split()[0]}")
    if not click.confirm("Are they the same?"):
        click.echo("nothing was written")
        sys.exit(1)


def known_hosts(answers: Answers, pins: Sequence[Pin]) -> File:
    """The file with every new key in it."""
    new = [(_marker(answers, pin.host), pin.key) for pin in pins if pin.key and not pin.pinned]
    return File(answers.known_hosts, host_keys.extended(_known_hosts(answers), list(dict.fromkeys(new))))


def _known_hosts(answers: Answers) -> str:
    return answers.known_hosts.read_text() if answers.known_hosts.is_file() else ""


def _marker(answers: Answers, host: Host) -> str:
    way = network_checks.to(host, answers.ssh_port)
    return host_keys.marker(way.hostname, way.port)
