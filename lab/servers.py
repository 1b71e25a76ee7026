"""The real servers beside the hosts: DNS, registry, ACME CA, S3 and the sink."""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from lab import containers, engine, images, network, pki
from lab.containers import Container
from lab.errors import LabError
from lab.state import State, write
from lab.waiting import wait_for
from signupflow.shared import s3

READY_TIMEOUT = 180.0
# Shared between labs, as the images are; `lab down` leaves it.
SEED_VOLUME = "signupflow-lab-registry-seed"
BUCKET = "backups"
S3_REGION = "us-east-1"
MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
)


def http(
    url: str, *, method: str = "GET", ca_file: str | None = None, headers: dict[str, str] | None = None
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one request; OSError when it cannot be had."""
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    request = urllib.request.Request(url, method=method, headers=headers or {})  # noqa: S310 - our own addresses
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=context)] if context else [])
    )
    with opener.open(request, timeout=5) as answer:
        return answer.read(), {key.lower(): value for key, value in answer.headers.items()}


def serves(ask: Callable[[], Any]) -> Callable[[], bool]:
    """A poll for wait_for: true once `ask` gets an answer at all."""

    def ready() -> bool:
        try:
            ask()
        except urllib.error.HTTPError:
            return True
        except (OSError, ValueError):
            return False
        return True

    return ready


def published(state: State, server: str, inside: int) -> str:
    """`--publish` on a loopback port that the lab keeps once it has one."""
    if server not in state.ports or containers.describe(state.container(server)) is None:
        state.ports[server] = network.free_port()
        state.save()
    return f"--publish=127.0.0.1:{state.ports[server]}:{inside}"


# DNS


def ensure_dns(state: State) -> None:
    upstream = network.machine_nameservers()
    if not upstream:
        raise LabError("/etc/resolv.conf names no nameserver that containers could reach (loopback does not count)")
    config = network.dnsmasq_config(state.zone, state.names(), upstream)
    write(state.folder / "dns" / "dnsmasq.conf", config)
    write_in_place(state)
    containers.ensure(
        state,
        Container(
            what="dns",
            image=images.PEBBLE,
            address=state.address("dns"),
            options=["--cap-add=NET_ADMIN", f"--volume={state.folder / 'dns'}:/etc/lab-dns:ro"],
            command=["dnsmasq", "--keep-in-foreground", "--user=root", "--log-facility=-", "-C/etc/lab-dns/dnsmasq.conf"],
            content=config,
        ),
    )


def write_in_place(state: State) -> None:
    """resolv.conf is mounted as one file into running hosts: a rename would leave them with the old one."""
    from lab.hosts import resolv_conf

    file = state.folder / "resolv.conf"
    if not file.is_file() or file.read_text() != resolv_conf(state):
        file.write_text(resolv_conf(state))


# Registry


def ensure_registry(state: State) -> None:
    if not state.images:
        _plant_seed(state)
    containers.ensure(
        state,
        Container(
            what="registry",
            image=images.REGISTRY,
            address=state.address("registry"),
            options=[
                published(state, "registry", 5000),
                f"--volume={containers.ensure_volume(state, 'registry')}:/var/lib/registry",
            ],
        ),
    )
    url = f"{registry_url(state)}/v2/"
    wait_for(serves(lambda: http(url)), READY_TIMEOUT, f"the registry did not answer at {url}")


def _copy_volume(source: str, target: str, record: str = "") -> str:
    """Make the target volume's content that of the source; returns the record in it, which is written last.

    A copy that was cut off has none, and counts as empty.
    """
    script = (
        'find /target -mindepth 1 -delete; [ -n "$1" ] || [ -e /source/lab-seed.json ] || exit 0; '
        "cp -a /source/. /target/ && rm -f /target/lab-seed.json; "
        'if [ -n "$1" ]; then sync && echo "$1" > /target/lab-seed.json; else cat /source/lab-seed.json; fi'
    )
    mounts = (f"--volume={source}:/source:ro", f"--volume={target}:/target")
    shell = ("--entrypoint=sh", images.DEBIAN, "-ec", script, "sh", record)
    return engine.docker("run", "--rm", "--network=none", *mounts, *shell).stdout


def _plant_seed(state: State) -> None:
    """Start a new lab's registry with what another one was given before: compressing the images again takes 25 s."""
    if engine.docker("volume", "inspect", SEED_VOLUME, check=False).returncode != 0:
        return
    record = _copy_volume(SEED_VOLUME, containers.ensure_volume(state, "registry"))
    if record:
        state.images = json.loads(record)
        state.save()


def keep_seed(state: State) -> None:
    """Keep a registry's content for the labs to come, unless something else was pushed to it meanwhile."""
    with images.only_one_builder():
        catalog = json.loads(http(f"{registry_url(state)}/v2/_catalog")[0])["repositories"]
        if set(catalog) == {f"library/{tag.partition(':')[0]}" for tag in images.SERVED}:
            engine.docker("volume", "create", SEED_VOLUME)
            _copy_volume(state.container("registry"), SEED_VOLUME, json.dumps(state.images))


def registry_url(state: State) -> str:
    return f"http://127.0.0.1:{state.ports['registry']}"


def manifest_digest(state: State, tag: str) -> str | None:
    """The digest under which the lab's registry serves an ordinary name, or None."""
    name, _, version = tag.partition(":")
    url = f"{registry_url(state)}/v2/library/{name}/manifests/{version}"
    try:
        _, headers = http(url, method="HEAD", headers={"Accept": MANIFEST_TYPES})
    except OSError:
        return None
    return headers.get("docker-content-digest")


def ensure_served(state: State, tag: str) -> bool:
    """Have the registry serve an image under its ordinary name, as a mirror would; whether it had to be pushed."""
    image_id = engine.image_id(tag) or ""
    known = state.images.get(tag, {})
    if known.get("id") == image_id and known.get("digest") == manifest_digest(state, tag):
        return False
    pushed = f"127.0.0.1:{state.ports['registry']}/library/{tag}"
    engine.docker("tag", tag, pushed)
    try:
        engine.docker("push", "--quiet", pushed)
    finally:
        engine.docker("rmi", "--no-prune", pushed, check=False)
    digest = manifest_digest(state, tag)
    if digest is None:
        raise LabError(f"the lab's registry does not serve {tag} after it was pushed")
    state.images[tag] = {"id": image_id, "digest": digest}
    return True


# ACME


def pebble_config(lifetime: int | None) -> str:
    settings: dict[str, Any] = {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/pki/acme.pem",
        "privateKey": "/pki/acme.key",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    if lifetime is not None:
        settings["certificateValidityPeriod"] = lifetime
    return json.dumps({"pebble": settings}, indent=2) + "\n"


def ensure_acme(state: State) -> None:
    pki.ensure_servers(state)
    config = pebble_config(state.certificate_lifetime)
    write(state.folder / "acme" / "pebble.json", config)
    containers.ensure(
        state,
        Container(
            what="acme",
            image=images.PEBBLE,
            address=state.address("acme"),
            options=[
                f"--volume={state.folder / 'acme'}:/etc/lab-acme:ro",
                f"--volume={state.folder / 'pki'}:/pki:ro",
                # No random delays and refused nonces: those test ACME clients, not deploys.
                "--env=PEBBLE_VA_NOSLEEP=1",
                "--env=PEBBLE_WFE_NONCEREJECT=0",
                "--env=PEBBLE_AUTHZREUSE=0",
            ],
            command=["pebble", "-config", "/etc/lab-acme/pebble.json", "-dnsserver", f"{state.address('dns')}:53"],
            content=config,
        ),
    )
    url = f"https://{state.address('acme')}:15000/roots/0"

    def ask() -> bytes:
        return http(url, ca_file=str(state.folder / "acme-ca.pem"))[0]

    wait_for(serves(ask), READY_TIMEOUT, f"Pebble did not answer at {url}")
    # Pebble makes a new root at each start.
    write(state.folder / "ca.pem", ask().decode())


# S3


def s3_config(state: State) -> str:
    identity = {
        "name": "lab",
        "credentials": [{"accessKey": state.s3_access_key, "secretKey": state.s3_secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return json.dumps({"identities": [identity]}, indent=2) + "\n"


def ensure_s3(state: State) -> None:
    if not state.s3_access_key:
        state.s3_access_key, state.s3_secret_key = f"LAB{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
        state.save()
    pki.ensure_servers(state)
    config = s3_config(state)
    write(state.folder / "s3" / "s3.json", config, mode=0o600)
    containers.ensure(
        state,
        Container(
            what="s3",
            image=images.SEAWEEDFS,
            address=state.address("s3"),
            options=[
                published(state, "s3", 8333),
                f"--volume={containers.ensure_volume(state, 's3')}:/data",
                f"--volume={state.folder / 's3'}:/etc/lab-s3:ro",
                f"--volume={state.folder / 'pki'}:/pki:ro",
            ],
            command=[
                "server",
                "-dir=/data",
                "-s3",
                "-s3.port=8333",
                "-s3.config=/etc/lab-s3/s3.json",
                "-s3.cert.file=/pki/s3.pem",
                "-s3.key.file=/pki/s3.key",
                "-volume.max=100",
                "-master.volumeSizeLimitMB=256",
            ],
            content=images.digest(config),
        ),
    )
    make_bucket(state)


def s3_url(state: State) -> str:
    return f"https://{state.address('s3')}:8333"


def make_bucket(state: State) -> None:
    """Wait until S3 takes signed requests, and have the bucket `backups`."""
    from botocore.exceptions import BotoCoreError, ClientError

    store = s3.connect(
        s3_url(state),
        S3_REGION,
        state.s3_access_key,
        state.s3_secret_key,
        ca_file=str(state.folder / "acme-ca.pem"),
        connect_seconds=2,
        attempts=0,
        proxies=False,
    )

    def has_bucket() -> bool:
        if BUCKET not in [bucket["Name"] for bucket in store.list_buckets()["Buckets"]]:
            store.create_bucket(Bucket=BUCKET)
        return True

    said = f"S3 did not take requests at {s3_url(state)}"
    wait_for(has_bucket, READY_TIMEOUT, said, every=0.3, not_yet=(BotoCoreError, ClientError))


# Sink


def ensure_sink(state: State) -> None:
    containers.ensure(
        state,
        Container(
            what="sink",
            image=images.SINK_IMAGE,
            address=state.address("sink"),
            options=[published(state, "sink", 8080), f"--volume={containers.ensure_volume(state, 'sink')}:/data"],
        ),
    )
    url = f"http://{state.address('sink')}:8080/health"
    wait_for(serves(lambda: http(url)), READY_TIMEOUT, f"the sink did not answer at {url}")
