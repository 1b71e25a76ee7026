"""Converge every host and roll the release out.

pyinfra inventory.py deploys/production.py [--dry --diff]
"""

from deploys.app import app_image, release
from deploys.base import base_host
from deploys.docker import docker_engine
from deploys.postgres import postgres
from deploys.schema import schema
from deploys.traefik import traefik

base_host()
docker_engine()
traefik()
postgres()
app_image()
schema()
release()
