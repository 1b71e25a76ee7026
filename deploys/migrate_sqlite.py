"""Move an old service from its SQLite file to PostgreSQL, with the maintenance page up in between.

pyinfra inventory.py deploys/migrate_sqlite.py [--dry --diff]

Everything is prepared while the old service runs behind Traefik, and its file is checked row by row. Then: the page, the old
service stops, its rows move, the app's smoke suite, the new service, the page goes. Any failure leads back to the old service.
docs/deployment/DATABASE_MIGRATION.md tells it.
"""

from deploys.app import app_image
from deploys.base import base_host
from deploys.cutover import cut_over, old_service
from deploys.docker import docker_engine
from deploys.ownership import claim
from deploys.postgres import postgres
from deploys.release import MOVING, ready
from deploys.schema import schema
from deploys.traefik import traefik

ready(kind=MOVING)
claim()
base_host()
docker_engine()
app_image()
traefik()
old_service()
postgres()
schema()
cut_over()
