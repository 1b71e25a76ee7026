#!/bin/sh
# The official entrypoint wants a superuser password for a new cluster, and leaves it in the server's environment. Ours is
# random and known to nobody: pg_hba.conf lets the superuser in by peer only, from inside this container.
set -eu
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  POSTGRES_PASSWORD=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  export POSTGRES_PASSWORD
fi
exec docker-entrypoint.sh "$@"
