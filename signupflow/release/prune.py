"""Old releases on a host: which go, and how. Never the serving one, the one before it, or anything in use."""

from __future__ import annotations

import shlex
from collections.abc import Collection


def doomed(kept: Collection[int], there: Collection[int], keep: int) -> list[int]:
    """Generations to remove, so that `keep` stay: those named in `kept`, and beside them the newest."""
    others = sorted(set(there) - set(kept), reverse=True)
    return sorted(others[max(0, keep - len(set(kept) & set(there))) :])


def files_script(directory: str, secrets: str, generations: Collection[int]) -> str:
    """Remove the files and secrets of generations."""
    return "".join(f"rm -rf {shlex.quote(f'{directory}/g{n}')} {shlex.quote(f'{secrets}/g{n}')}\n" for n in generations)


def images_script(directory: str, repository: str, keep: int) -> str:
    """Remove images of `repository` that no generation left names, beyond the newest `keep`.

    Docker refuses to remove an image that a container uses, running or not; that refusal is what is wanted.
    """
    return f"""
named=$(cat {shlex.quote(directory)}/g*/compose.yaml /opt/signupflow/schema-*/compose.yaml 2>/dev/null |
  sed -n 's/^ *image: *//p' | tr -d '"' | sort -u)
used=$(for image in $named; do docker image inspect --format '{{{{.Id}}}}' "$image" 2>/dev/null; done)
newest=$(docker image ls --quiet --no-trunc {shlex.quote(repository)} | awk '!seen[$0]++' | head -n {keep})
docker image ls --quiet --no-trunc {shlex.quote(repository)} | sort -u | while read -r id; do
  case "$used $newest" in *"$id"*) continue;; esac
  docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}' --no-trunc {shlex.quote(repository)} |
    awk -v id="$id" '$2 == id && $1 !~ /<none>/ {{print $1}}' | xargs -r docker image rm >/dev/null 2>&1
  docker image rm "$id" >/dev/null 2>&1
done
true"""
