#!/bin/sh
# Scale up, wait until Docker calls the new ones healthy, stop and remove the old ones. `scale_then_stop.sh SERVICE`.
set -eu
service=$1
old=$(docker compose ps --quiet "$service")
docker compose up --detach --no-deps --no-recreate --scale "$service=$(($(echo "$old" | wc -l) * 2))" --wait "$service"
# shellcheck disable=SC2086 # several ids
docker stop $old
# shellcheck disable=SC2086
docker rm $old
