"""A host that is safe to put on the internet: logins, SSH, firewall, updates, time, logs."""

import shlex
from pathlib import Path

from pyinfra import host, inventory
from pyinfra.api import deploy

from deploys.app.networks import APP_BRIDGE
from deploys.environment import environment, fleet, in_group, names, refuse
from facts.system import HostSystem, LoginUser, SshAccess, SshdAsWanted
from operations import files, system
from operations.system import login_problem
from signupflow import advice
from signupflow.fleet import all_ports
from signupflow.hosts import packages, sshd
from signupflow.render import template
from signupflow.settings import Environment
from signupflow.shared.places import POSTGRES_PORT

TEMPLATES = Path(__file__).parent / "templates"

# Only Traefik's host serves these.
WEB = (80, 443)


def rules() -> dict[str, object]:
    """What answers on this host, to whom, and which containers may ask PostgreSQL elsewhere."""
    env, hosts = environment(), fleet()
    edge, database = in_group("edge"), hosts.database_address(host.name)
    return {
        # Whatever led here, of the inventory or of ~/.ssh/config, leads here again.
        "ports": sorted({port for port in env.public_tcp_ports if edge or port not in WEB} | host.get_fact(SshAccess).ports),
        "web": sorted(set(WEB) & set(env.public_tcp_ports)) if edge else [],
        "connections": env.edge_connections,
        # The edge answers IPv4 alone.
        "proxies": [network for network in env.trusted_edge_proxies if ":" not in network],
        "edge": hosts.host_with_role("edge").private_address if in_group("app") and not edge else "",
        "app_ports": all_ports(env.app_private_port),
        "clients": hosts.database_clients() if in_group("db") else [],
        "database": database,
        "bridge": APP_BRIDGE if in_group("app") else "",
        "postgres_port": POSTGRES_PORT,
    }


def jumps() -> list[str]:
    """Names by which the environment's other hosts are asked for through this one (ProxyJump sends the name as it stands)."""
    others = [inventory.get_host(member.name) for member in fleet().members if member.name != host.name]
    return sorted({name for other in others for name in names(other) if not name.startswith("@")})


@deploy("Base host")
def base_host() -> None:
    env = environment()
    found = host.get_fact(HostSystem)
    system.packages(name="Install packages", names=packages.base(found), services=packages.services(found))
    _login(env)
    in_force = sshd.in_force(sshd_drop_in(env), env.deploy_user)
    otherwise = f"sshd: keys-only logins were written and are not in force: `{advice.command('doctor')}` says what is in the way"
    files.config(
        name="Configure SSH: keys only, no root",
        dest=sshd.DROP_IN,
        content=sshd_drop_in(env),
        validate="mkdir -p -m 0755 /run/sshd && sshd -t -f {}",
        apply=f"systemctl try-reload-or-restart ssh && {{ {in_force} || {{ echo {shlex.quote(otherwise)} >&2; exit 1; }}; }}",
        holds=in_force,
        undo="systemctl try-reload-or-restart ssh",
    )
    files.config(
        name="Install the firewall unit",
        dest="/etc/systemd/system/signupflow-firewall.service",
        content=template(TEMPLATES / "firewall.service.j2"),
        apply="systemctl daemon-reload && systemctl enable signupflow-firewall",
    )
    files.config(
        name="Load firewall rules",
        dest="/etc/signupflow/firewall.nft",
        content=template(TEMPLATES / "firewall.nft.j2", **rules()),
        validate="nft --check --file {}",
        apply="systemctl reload-or-restart signupflow-firewall",
        holds="nft list table inet signupflow",
        undo="nft delete table inet signupflow; test ! -f /etc/signupflow/firewall.nft || systemctl restart signupflow-firewall",
    )
    files.config(
        name="Configure unattended upgrades",
        dest="/etc/apt/apt.conf.d/52-signupflow",
        content=template(TEMPLATES / "unattended-upgrades.j2"),
    )
    files.config(
        name="Limit the journal",
        dest="/etc/systemd/journald.conf.d/10-signupflow.conf",
        content=template(TEMPLATES / "journald.conf.j2", max_use=env.journal_max_use.upper(), days=env.journal_retention_days),
        apply="systemctl restart systemd-journald",
    )


def sshd_drop_in(env: Environment) -> str:
    """sshd's settings, as they are written."""
    return template(TEMPLATES / "sshd.conf.j2", deploy_user=env.deploy_user, jumps=jumps())


@deploy("Logins")
def login() -> None:
    """The deploy user's login alone, as when its keys rotate."""
    _login(environment())


def _login(env: Environment) -> None:
    system.login(name=f"Create login {env.deploy_user}", user=env.deploy_user, keys=env.deploy_public_keys)


def check_login() -> None:
    """Before a bootstrap: end the run when the login is somebody else's, or when sshd would never let it in."""
    env = environment()
    problem = login_problem(env.deploy_user, host.get_fact(LoginUser, user=env.deploy_user), env.deploy_public_keys)
    found = host.get_fact(SshdAsWanted, drop_in="", user=env.deploy_user)
    listed = found.effective.get("allowusers", ())
    if not problem and listed and env.deploy_user not in listed:
        where = ", ".join(found.set_in.get("allowusers", ()))
        problem = f"sshd lets only {' '.join(listed)} in (AllowUsers, {where}): add {env.deploy_user} there first"
    if problem:
        refuse(f"{host.name}: {problem}")
