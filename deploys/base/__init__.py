"""A host that is safe to put on the internet: logins, SSH, firewall, updates, time, logs."""

from pathlib import Path

from pyinfra import host, inventory
from pyinfra.api import deploy

from deploys.app.networks import APP_BRIDGE
from deploys.environment import environment, fleet, in_group
from operations import files, system
from signupflow.fleet import all_ports
from signupflow.render import template
from signupflow.settings import Environment
from signupflow.shared.places import POSTGRES_PORT

TEMPLATES = Path(__file__).parent / "templates"

PACKAGES = ["ca-certificates", "curl", "nftables", "sudo", "systemd-timesyncd", "unattended-upgrades"]
# Only Traefik's host serves these.
WEB = (80, 443)
SERVICES = ["systemd-timesyncd.service", "unattended-upgrades.service"]


def rules() -> dict[str, object]:
    """What answers on this host, to whom, and which containers may ask PostgreSQL elsewhere."""
    env, hosts = environment(), fleet()
    edge, database = in_group("edge"), hosts.database_address(host.name)
    return {
        "ports": [port for port in env.public_tcp_ports if edge or port not in WEB],
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
    known = {
        str(name) for other in others for name in (other.name, *map(other.data.get, ("ssh_hostname", "private_address"))) if name
    }
    return sorted(name for name in known if not name.startswith("@"))


@deploy("Base host")
def base_host() -> None:
    env = environment()
    system.packages(name="Install packages", names=PACKAGES, services=SERVICES)
    _login(env)
    files.config(
        name="Configure SSH: keys only, no root",
        dest="/etc/ssh/sshd_config.d/10-signupflow.conf",
        content=template(TEMPLATES / "sshd.conf.j2", deploy_user=env.deploy_user, jumps=jumps()),
        validate="mkdir -p /run/sshd && sshd -t -f {}",
        apply="systemctl try-reload-or-restart ssh",
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


@deploy("Logins")
def login() -> None:
    """The deploy user's login alone, as when its keys rotate."""
    _login(environment())


def _login(env: Environment) -> None:
    system.login(name=f"Create login {env.deploy_user}", user=env.deploy_user, keys=env.deploy_public_keys)
