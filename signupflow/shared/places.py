"""What stands where on a host, and by which name: facts that several programs and deploys must agree on."""

from __future__ import annotations

# Containers.
POSTGRES, POSTGRES_PORT = "signupflow-postgres", 5432
TRAEFIK = "signupflow-traefik"
# The user postgres of the official image; owns what PostgreSQL and pgBackRest read and write.
POSTGRES_UID = 999
# The user of an app's image, where its settings name no other (`app_user`); the Dockerfile of the stand-in has it too.
APP_UID = 10001
# Traefik's API, on the edge's loopback only.
TRAEFIK_API_PORT = 8099
TRAEFIK_API = f"http://127.0.0.1:{TRAEFIK_API_PORT}"

# PostgreSQL's data, of which `cluster` is what its server uses.
POSTGRES_DATA = "/var/lib/signupflow/postgres"

# Backups. The secrets are mounted into PostgreSQL's container, where pgBackRest runs, and into that of the commands.
BACKUP_SECRETS = "/etc/signupflow/secrets/backup"
BACKUP_CONFIGURATION = "/etc/signupflow/backup"
BACKUP_STATE = "/var/lib/signupflow/backup"
BACKUP_REPOSITORY = "/var/lib/signupflow/backup-repository"
