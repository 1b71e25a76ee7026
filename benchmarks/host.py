"""A lab host on which the other ways can be measured, whatever else runs there, and which is afterwards as it was."""

from __future__ import annotations

import io
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.traffic import Target
from lab import engine
from lab.client import ROOT, Lab
from lab.waiting import wait_for

HERE = Path(__file__).resolve().parent
IMAGE, DOMAIN, PORT = "signupflow/faults:local", "rolls.test", 8443
FOLDER = "/var/lib/signupflow-rolls"

# Traefik's own API, on the host's loopback: how many servers of the app it sends to.
SERVERS = "curl -fs http://127.0.0.1:8089/api/http/services/app@{provider} | grep -o '\"url\"' | wc -l"

OPEN = f"""
if nft list table inet signupflow >/dev/null 2>&1; then
  nft insert rule inet signupflow outside tcp dport {PORT} accept comment '"rolls"'
fi
"""
# What the Swarm way leaves; daemon.json.rolls is the project's own, which it had to change.
LEAVE_SWARM = """
docker rm --force rolls-traefik
if test "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active && docker network inspect rolls-swarm; then
  docker service rm rolls-app
  docker swarm leave --force
  docker network rm docker_gwbridge
fi
docker ps --all --quiet --filter label=rolls=app | xargs -r docker rm --force --volumes
if test -f /etc/docker/daemon.json.rolls; then
  mv /etc/docker/daemon.json.rolls /etc/docker/daemon.json
  systemctl reload docker
fi
"""
DOWN = "docker compose --project-name rolls down --volumes --timeout 2"
# Also what a bench that was killed left.
CLEAN = f"""
cd / && {DOWN}
{LEAVE_SWARM}
nft --handle list chain inet signupflow outside | sed -n 's/.*comment "rolls" # handle //p' |
  while read -r handle; do nft delete rule inet signupflow outside handle "$handle"; done
docker image rm {IMAGE}
rm -rf {FOLDER}
"""


@dataclass(frozen=True)
class Bench:
    """A prepared host. `root` runs a script there as root, in the stack's folder."""

    lab: Lab
    host: str

    @property
    def target(self) -> Target:
        # Traefik's own certificate, which nobody vouches for: only the bench that made it is asked.
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        return Target(self.lab.address(self.host), PORT, DOMAIN, tls)

    def root(self, script: str) -> str:
        return _root(self.lab, self.host, f"set -e; cd {FOLDER}; export TRAEFIK_IMAGE={self.lab['traefik_image']}\n{script}")

    def clean(self, script: str) -> None:
        """The same for what may fail, because there may be nothing to do."""
        _clean(self.lab, self.host, script)

    def containers(self) -> list[str]:
        """Full ids of the app's running containers."""
        return self.root("docker ps --quiet --no-trunc --filter label=rolls=app --filter status=running").split()

    def wait_for_servers(self, provider: str, count: int = 2) -> None:
        servers = SERVERS.format(provider=provider)
        wait_for(lambda: self.root(servers).strip() == str(count), 60, f"Traefik does not send to {count} servers", every=0.2)


@contextmanager
def prepared(lab: Lab, host: str) -> Iterator[Bench]:
    """Docker by the project's own deploy where there is none, the images, the stack's files, the port open; then all away."""
    if _root(lab, host, "command -v docker || true") == "":
        fqdn = next(item["fqdn"] for item in lab["hosts"] if item["name"] == host)
        lab.pyinfra("-y", "--limit", fqdn, deploy=str((HERE / "docker_only.py").relative_to(ROOT)))
    _clean(lab, host, CLEAN)
    try:
        _send_image(lab, host)
        _send_files(lab, host)
        _root(lab, host, f"docker pull --quiet {lab['traefik_image']}\n{OPEN}")
        yield Bench(lab, host)
    finally:
        # An engine that leaves a swarm forgets the names of containers on its other networks until it starts again.
        _clean(lab, host, f"{CLEAN}\nsystemctl restart docker")


def _root(lab: Lab, host: str, script: str) -> str:
    return lab.ssh(host, "sudo sh -s", stdin=script)


def _clean(lab: Lab, host: str, script: str) -> None:
    _root(lab, host, f"exec >/dev/null 2>&1\n{script}\ntrue")


def _send_image(lab: Lab, host: str) -> None:
    engine.build(ROOT / "tests" / "faults", IMAGE)
    script = f"{engine.docker_client()} save {IMAGE} | gzip -1"
    with subprocess.Popen(["bash", "-o", "pipefail", "-c", script], stdout=subprocess.PIPE) as packed:
        subprocess.run([*lab.ssh_command(host), "sudo docker load --quiet"], stdin=packed.stdout, check=True, capture_output=True)
    assert packed.returncode == 0, f"could not save {IMAGE}"


def _send_files(lab: Lab, host: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(HERE / "stack", arcname=".")
    unpack = f"sudo install -d -m 0700 {FOLDER} && sudo tar -x --no-same-owner -C {FOLDER}"
    subprocess.run([*lab.ssh_command(host), unpack], input=packed.getvalue(), check=True, capture_output=True)
