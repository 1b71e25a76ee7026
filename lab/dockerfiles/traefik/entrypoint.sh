#!/bin/sh
# As the official image: a flag or one of Traefik's subcommands goes to traefik, anything else runs as it is.
set -e
case "${1:-}" in
  -*) set -- traefik "$@" ;;
  healthcheck | version) set -- traefik "$@" ;;
esac
exec "$@"
