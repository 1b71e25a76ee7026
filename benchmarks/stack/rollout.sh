#!/bin/sh
# What docker-rollout 0.13 does (github.com/wowu/docker-rollout), told again because it cannot be downloaded here: 0.12's
# script was read in full, of 0.13's the defaults, which are the same. `rollout.sh SERVICE [PRE-STOP-HOOK]`.
set -eu
service=$1 hook=${2:-}

old=$(docker compose ps --quiet "$service")
count=$(echo "$old" | wc -l)
docker compose up --detach --scale "$service=$((count * 2))" --no-recreate "$service"
new=$(docker compose ps --quiet "$service" | grep -Fxv "$old")

healthy() {
  for container in $new; do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ] || return 1
  done
}

# Once a second, for 60 s.
left=60
until healthy; do
  if [ $((left -= 1)) -lt 0 ]; then
    # shellcheck disable=SC2086 # several ids
    docker stop $new
    # shellcheck disable=SC2086
    docker rm $new
    echo "new containers are not healthy" >&2
    exit 1
  fi
  sleep 1
done

# Nothing is waited for after they are healthy. The hook runs in all the old containers at once.
if [ -n "$hook" ]; then
  for container in $old; do docker exec "$container" sh -c "$hook" & done
  wait
fi
# shellcheck disable=SC2086 # several ids
docker stop $old
# shellcheck disable=SC2086
docker rm $old
