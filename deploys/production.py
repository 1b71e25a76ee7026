"""Converge every host and roll the release out.

pyinfra inventory.py deploys/production.py [--dry --diff]
"""

from deploys.app import app_image
from deploys.backups import backups
from deploys.base import base_host
from deploys.docker import docker_engine
from deploys.ownership import claim
from deploys.postgres import postgres
from deploys.release import monitoring, ready, release
from deploys.schema import schema
from deploys.traefik import traefik

ready()
claim()
base_host()
docker_engine()
app_image()
traefik()
postgres()
backups()
schema()
release()
monitoring()
