"""What others need to know of a lab: as a pyinfra inventory, as shell, as JSON."""

from __future__ import annotations

import pprint
import shlex
from pathlib import Path
from typing import Any

from lab import images, pki, servers, topology
from lab.state import Host, State

HEADER = '''"""Lab {name}: written by `python -m lab up`, replaced by the next one. Holds no secrets.

Topology {topology}: every name below is a group, in the order of the hosts. Hosts without work are in the group `spare`.
"""
'''


def served_image(state: State, tag: str) -> str:
    """NAME:TAG@DIGEST as a host pulls it through the lab's registry."""
    digest = state.images.get(tag, {}).get("digest")
    return f"{tag}@{digest}" if digest else tag


def acme_directory(state: State) -> str:
    return f"https://acme.{state.zone}:14000/dir"


def registry_mirror(state: State) -> str:
    return f"http://{state.address('registry')}:5000"


def data(state: State) -> dict[str, Any]:
    """Data of the group `lab`: literals only."""
    folder = state.folder
    return {
        "environment": "lab",
        "domains": state.sites,
        "acme_directory": acme_directory(state),
        "acme_ca_file": str(folder / "acme-ca.pem"),
        "acme_email": f"operations@{state.zone}",
        "registry_mirrors": [registry_mirror(state)],
        "traefik_image": served_image(state, images.TRAEFIK),
        "acme_certificate_hours": max(1, state.certificate_lifetime // 3600) if state.certificate_lifetime else 2160,
        "secrets_file": str(folder / "secrets.age"),
        "age_key_file": str(folder / "age.key"),
        "public_ca_file": str(folder / "ca.pem"),
        # Short windows, so that a lab is quick; proofs that are about the windows set their own.
        "app_soak_seconds": 0,
        "app_shift_weights": [50],
        "app_shift_pause_seconds": 1,
        "app_bake_seconds": 1,
        "app_monitor_seconds": 2,
        "deploy_public_keys": [(folder / "id_ed25519.pub").read_text().strip()],
        "s3_endpoint": f"https://s3.{state.zone}:8333",
        "s3_bucket": servers.BUCKET,
        "s3_region": servers.S3_REGION,
        "s3_ca_file": str(folder / "acme-ca.pem"),
        "backup_recipients": [pki.recipient(folder / "escrow.key")],
        # By address: both this machine and the hosts reach it so.
        "smtp_host": state.address("sink"),
        "smtp_port": 25,
        "notify_mail_to": [f"operations@{state.zone}"],
        "notify_mail_from": f"signupflow@{state.zone}",
    }


def host_data(state: State, host: Host) -> dict[str, str]:
    """How a host is reached; in the cluster also the address at which the other hosts reach it."""
    reached = {
        "ssh_hostname": host.address,
        "ssh_user": "deploy",
        "ssh_key": str(state.folder / "id_ed25519"),
        "ssh_known_hosts_file": str(state.folder / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
    }
    return reached | ({"private_address": host.address} if state.topology != topology.SINGLE else {})


def render(state: State) -> str:
    hosts = [(host.fqdn, host_data(state, host)) for host in state.host_list()]
    group = pprint.pformat((hosts, data(state)), width=110, sort_dicts=False)
    lines = [HEADER.format(name=state.name, topology=state.topology), f"lab = {group}", ""]
    roles: dict[str, list[str]] = {}
    for host in state.host_list():
        for role in host.roles:
            roles.setdefault(role, []).append(host.fqdn)
    lines += [f"{role} = {members!r}" for role, members in roles.items()]
    return "\n".join(lines) + "\n"


def path(state: State) -> Path:
    return state.folder / "inventory.py"


def environment(state: State) -> dict[str, Any]:
    """What `lab env --json` prints. Holds the S3 keys: they are the lab's own and die with it."""
    folder = state.folder
    return {
        "name": state.name,
        "zone": state.zone,
        "subnet": state.subnet,
        "topology": state.topology,
        "domains": state.sites,
        "hosts": [
            {"name": host.name, "fqdn": host.fqdn, "address": host.address, "roles": list(host.roles)}
            for host in state.host_list()
        ],
        "inventory": str(path(state)),
        "ssh_key": str(folder / "id_ed25519"),
        "ssh_config": str(folder / "home/.ssh/config"),
        "flavour": state.flavour,
        "known_hosts": str(folder / "known_hosts"),
        "ca_file": str(folder / "ca.pem"),
        "acme_ca_file": str(folder / "acme-ca.pem"),
        "acme_directory": acme_directory(state),
        "acme_management": f"https://{state.address('acme')}:15000",
        "certificate_lifetime": state.certificate_lifetime,
        "dns": state.address("dns"),
        "registry": f"{state.address('registry')}:5000",
        "registry_push": f"127.0.0.1:{state.ports['registry']}",
        "registry_mirror": registry_mirror(state),
        "traefik_image": served_image(state, images.TRAEFIK),
        "postgres_image": served_image(state, images.POSTGRES),
        "s3_endpoint": f"https://s3.{state.zone}:8333",
        "s3_endpoint_address": servers.s3_url(state),
        "s3_endpoint_local": f"https://127.0.0.1:{state.ports['s3']}",
        "s3_bucket": servers.BUCKET,
        "s3_region": servers.S3_REGION,
        "s3_access_key": state.s3_access_key,
        "s3_secret_key": state.s3_secret_key,
        "s3_ca_file": str(folder / "acme-ca.pem"),
        "smtp_host": state.address("sink"),
        "smtp_port": 25,
        "sink_url": f"http://127.0.0.1:{state.ports['sink']}",
        "webhook_url": f"http://sink.{state.zone}:8080/webhook",
        "sentry_dsn": f"http://4f1c2d9ab07e5638a1b2c3d4e5f60718@sink.{state.zone}:8080/1",
        "secrets_file": str(folder / "secrets.age"),
        "age_key_file": str(folder / "age.key"),
        "escrow_key_file": str(folder / "escrow.key"),
    }


def shell(values: dict[str, Any]) -> str:
    """The same as `export LAB_...` lines; lists are joined by spaces, hosts become NAME=ADDRESS pairs."""
    lines = []
    for key, value in values.items():
        text = value
        if key == "hosts":
            text = " ".join(f"{host['fqdn']}={host['address']}" for host in value)
        elif isinstance(value, list):
            text = " ".join(str(item) for item in value)
        elif value is None:
            text = ""
        lines.append(f"export LAB_{key.upper()}={shlex.quote(str(text))}")
    return "\n".join(lines)
