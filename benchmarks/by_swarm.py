"""Swarm's start-first update behind Traefik's Swarm provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.host import DOMAIN, IMAGE, LEAVE_SWARM, PORT, Bench
from benchmarks.measure import measure
from benchmarks.measured import Measured
from benchmarks.old import Old

WAY, PROVIDER = "Swarm start-first, Traefik refreshing every second", "swarm"
TUNED = f"{WAY}, health asked every 0.5 s"
# In the place of the image's own health check, which asks every 5 s from the start on.
OFTEN = (
    "--health-cmd 'python -m app.healthcheck' --health-interval 5s --health-retries 1 --health-start-period 30s"
    " --health-start-interval 500ms"
)

# The project's daemon.json says live-restore, which Swarm refuses. It is read again without a restart.
SWARM = """
if grep -q '"live-restore": true' /etc/docker/daemon.json; then
  cp -a /etc/docker/daemon.json /etc/docker/daemon.json.rolls
  sed -i 's/"live-restore": true/"live-restore": false/' /etc/docker/daemon.json
  systemctl reload docker
  until test "$(docker info --format '{{.LiveRestoreEnabled}}')" = false; do sleep 0.1; done
fi
docker swarm init --advertise-addr 127.0.0.1 >/dev/null
docker network create --driver overlay --attachable rolls-swarm >/dev/null
"""
TRAEFIK = f"""
docker run --detach --name rolls-traefik --network rolls-swarm --publish {PORT}:{PORT} --publish 127.0.0.1:8089:8080 \
  --volume /var/run/docker.sock:/var/run/docker.sock:ro $TRAEFIK_IMAGE \
  --entrypoints.websecure.address=:{PORT} --entrypoints.websecure.http.tls=true --api.insecure=true \
  --providers.swarm.exposedbydefault=false --providers.swarm.network=rolls-swarm --providers.swarm.refreshseconds=1
"""
# IPVS is off in the lab, so Traefik asks for each task's address: dnsrr. Settings as in compose.yaml.
SERVICE = f"""
docker service create --detach=false --quiet --no-resolve-image --name rolls-app --replicas 2 --network rolls-swarm \
  --endpoint-mode dnsrr --update-order start-first --stop-grace-period 30s --container-label rolls=app \
  --mount type=tmpfs,destination=/tmp,tmpfs-mode=1777 \
  --env APP_ENV=development --env DATABASE_URL=sqlite:////tmp/app.db --env LOG_LEVEL=warning \
  --env RATE_LIMIT_PER_SECOND=0 --env GENERATION=1 \
  {{health}} \
  --label traefik.enable=true --label 'traefik.http.routers.app.rule=Host(`{DOMAIN}`)' \
  --label traefik.http.services.app.loadbalancer.server.port=8000 {IMAGE}
"""
UPDATE = "docker service update --detach=false --quiet --env-add GENERATION=2 --update-delay 0s --update-parallelism {} rolls-app"


def roll(bench: Bench, parallelism: int, health: str = "") -> Measured:
    """A fresh Swarm of this one host with two tasks, updated once."""
    with _swarm(bench, health):
        before = bench.containers()
        with Old(bench.lab, {bench.host: before}) as old:
            row = measure(
                TUNED if health else WAY,
                bench.target,
                lambda: bench.root(UPDATE.format(parallelism)),
                old.gone,
                note=f"parallelism {parallelism}",
            )
        after = bench.containers()
        assert len(before) == len(after) == 2, (before, after)
        assert not set(before) & set(after), (before, after)
        return row


@contextmanager
def _swarm(bench: Bench, health: str) -> Iterator[None]:
    try:
        bench.root(SWARM)
        bench.root(TRAEFIK)
        bench.root(SERVICE.format(health=health))
        bench.wait_for_servers(PROVIDER)
        yield
    finally:
        bench.clean(LEAVE_SWARM)
