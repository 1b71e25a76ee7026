"""All checks of hosts and domains, asked side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from signupflow import images
from signupflow.cli.init import checks, network_checks, prompts
from signupflow.cli.init.checks import FAIL, OK, Check
from signupflow.cli.init.config import Answers, Host
from signupflow.cli.running import ROOT
from signupflow.errors import OperatorError
from signupflow.hosts import readiness as hosts
from signupflow.hosts.docker import daemon_keys
from signupflow.hosts.packages import removed, simulated
from signupflow.render import template
from signupflow.settings import Environment

# The settings that a deploy gives sshd, as it writes them.
SSHD = ROOT / "deploys/base/templates/sshd.conf.j2"

Environments = Mapping[str, Environment]


@dataclass(frozen=True)
class Found:
    """Rows of the table, and the hosts that have the deploy login already."""

    rows: tuple[Check, ...] = ()
    bootstrapped: frozenset[str] = frozenset()


def look(answers: Answers, environments: Environments, known_hosts: str, dns_server: str) -> Found:
    """Log in to every host with its pinned key and no other, ask it; then ask the edge's ports and the domains."""
    (edge,) = answers.holding("edge")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        pinned = Path(folder) / "known_hosts"
        pinned.write_text(known_hosts)
        hosts = list(pool.map(lambda host: _host(answers, environments[host.name], host, pinned), answers.hosts))
        leads = list(pool.map(lambda domain: network_checks.addresses(domain, dns_server), answers.domains))
    entry = environments[edge.name].public_address or network_checks.to(edge, answers.ssh_port).hostname
    expected = [address for address in network_checks.addresses(entry) if ":" not in address]
    domains = zip(answers.domains, leads, strict=True)
    return Found(
        (
            *(row for found in hosts for row in found.rows),
            checks.of_entry(edge, network_checks.knock(edge)),
            *(checks.of_domain(domain, entry, found, expected) for domain, found in domains),
        ),
        frozenset(name for found in hosts for name in found.bootstrapped),
    )


def _host(answers: Answers, env: Environment, host: Host, known_hosts: Path) -> Found:
    """One host. After a first deploy the deploy user's is the only login that works."""
    peers = [peer for peer in answers.hosts if peer != host]
    drop_in = template(SSHD, deploy_user=env.deploy_user, jumps=())
    script = prompts.script(
        [(peer.private_address, network_checks.to(peer, answers.ssh_port).port) for peer in peers], drop_in, env.deploy_user
    )
    for user in dict.fromkeys((env.deploy_user, answers.ssh_user)):
        login = network_checks.log_in(answers, host, user, known_hosts, script)
        if not login.error:
            break
    if login.error:
        remedy = f"put your key into {login.user}'s authorized_keys there, or see --ssh-user and --ssh-key"
        return Found((Check(host.name, "SSH", FAIL, f"{login.user}: {login.error}", remedy),))
    try:
        said = prompts.parse(login.output, env.deploy_user)
    except ValueError as error:
        return Found((Check(host.name, "SSH", FAIL, f"as {login.user}, but {error}", "see what a shell there says first"),))
    rows = [*checks.of_host(host, said, _needs(host, env, drop_in), login.clock, peers)]
    names = hosts.wanted_packages(said.system)
    simulation = network_checks.log_in(answers, host, login.user, known_hosts, simulated(names) if names else "true")
    rows.append(checks.of_packages(host, names, removed(simulation.output.splitlines())))
    bootstrapped = frozenset([host.name] if login.user == env.deploy_user else [])
    return Found((Check(host.name, "SSH", OK, f"as {login.user}"), *rows), bootstrapped)


def _needs(host: Host, env: Environment, drop_in: str) -> checks.Needs:
    """Room for the images as far as this machine knows them; what is not here yet counts nothing."""
    wanted = {"edge": env.traefik_image, "app": env.app_image, "db": env.postgres_image}
    try:
        found = {role: images.inspect(wanted[role]) for role in (*host.roles, "app")}
    except (OperatorError, OSError):  # no engine here
        found = {}
    size = sum(int(image["Size"]) for role, image in found.items() if image and role in host.roles)
    architecture = str((found.get("app") or {}).get("Architecture", ""))
    major = images.major(env.postgres_image) if "db" in host.roles else 0
    return checks.Needs(size, checks.memory_needed(host, env), architecture, daemon_keys(env.registry_mirrors), drop_in, major)
