"""From empty hosts, the object storage and the age key to the running service, with the data up to the last archived second.

pyinfra inventory.py deploys/disaster_recovery.py [--data recover_to=2026-11-27T02:15:00Z]

The same as deploys/production.py, but for one step: before PostgreSQL is started for the first time, its cluster is restored.
Where there is a cluster already, nothing is restored.
"""

from deploys.app import app_image
from deploys.backups import backups, recovery
from deploys.base import base_host
from deploys.docker import docker_engine
from deploys.ownership import claim
from deploys.postgres import postgres
from deploys.release import monitoring, ready, release
from deploys.schema import schema
from deploys.traefik import traefik

ready(recovering=True)
claim()
base_host()
docker_engine()
app_image()
traefik()
recovery()
postgres()
backups()
schema()
release()
monitoring()
