"""Old releases on a host: which go, and how. Never the serving one, the one before it, or anything in use.

A release is an image: restarting or scaling one makes generations, and no release. What is kept are the last releases that
served on this host; how many have failed since, and how often what serves was restarted, changes nothing about them.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence


def doomed(kept: Sequence[int], there: Mapping[int, str], served: Sequence[int], keep: int) -> list[int]:
    """Generations to remove of those that are there (number to image), so that the last `keep` releases that served stay.

    `kept` stay: what serves first, then what did so right before. `served` are those that served, the newest first
    (`journal.served`). Where the journal knows of too few, because it was lost, the newest generations make up for them.
    """
    stay, images = set(kept) & set(there), {there[number] for number in kept[:1] if number in there}
    for number in (*served, *sorted(there, reverse=True)):
        if there.get(number, "") not in ("", *images) and len(images) < keep:
            images.add(there[number])
            stay.add(number)
    return sorted(set(there) - stay)


def list_script(directory: str) -> str:
    """Print each generation that has files, and the image it names."""
    return (
        f'for d in {shlex.quote(directory)}/g*/; do n=$(basename "$d"); f=$d/compose.yaml; test -f "$f" || f=/dev/null\n'
        'echo "${n#g} $(sed -n \'s/^ *image: *//p\' "$f" | tr -d \'"\' | head -n 1)"; done'
    )


def listed(text: str) -> dict[int, str]:
    """What `list_script` printed: number to image."""
    rows = (line.partition(" ") for line in text.splitlines())
    return {int(number): image for number, _, image in rows if number.isdigit()}


def files_script(directory: str, secrets: str, generations: Collection[int]) -> str:
    """Remove the files and secrets of generations."""
    return "".join(f"rm -rf {shlex.quote(f'{directory}/g{n}')} {shlex.quote(f'{secrets}/g{n}')}\n" for n in generations)


def images_script(directory: str, repository: str) -> str:
    """Remove images of `repository` that no generation left names.

    Docker refuses to remove an image that a container uses, running or not; that refusal is what is wanted.
    """
    return f"""
named=$(cat {shlex.quote(directory)}/g*/compose.yaml /opt/signupflow/schema-*/compose.yaml 2>/dev/null |
  sed -n 's/^ *image: *//p' | tr -d '"' | sort -u)
used=$(for image in $named; do docker image inspect --format '{{{{.Id}}}}' "$image" 2>/dev/null; done)
docker image ls --quiet --no-trunc {shlex.quote(repository)} | sort -u | while read -r id; do
  case "$used" in *"$id"*) continue;; esac
  docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.ID}}}}' --no-trunc {shlex.quote(repository)} |
    awk -v id="$id" '$2 == id && $1 !~ /<none>/ {{print $1}}' | xargs -r docker image rm >/dev/null 2>&1
  docker image rm "$id" >/dev/null 2>&1
done
true"""


# Where this product names images that it starts by: Compose files, and the scripts of backups.
NAMED_IN = ("/opt/signupflow", "/etc/signupflow")


# Images that deploys pulled by digest, one `name@sha256:...` per line. Images that anybody else pulled are not listed, and stay.
PULLED = "/var/lib/signupflow/images/pulled"


def pulled_script(name: str, digest: str) -> str:
    """Note that an image was pulled by a deploy."""
    return f"install -d -m 0700 {PULLED.rpartition('/')[0]} && echo {shlex.quote(f'{name}@{digest}')} >> {PULLED}"


def unused_script(repository: str, keep: str) -> str:
    """Remove what deploys sent (`name:id-...`) or pulled of `repository` that nothing in NAMED_IN names, but for `keep`.

    For hosts on which no release ends: the database's gets the app's image for the schema step, and images of its own. Images
    of another name are somebody's, as is what somebody pulled, and Docker removes none that a container uses.
    """
    named = " ".join(NAMED_IN)
    return f"""
docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' {shlex.quote(repository)} |
  grep -E ':id-[0-9a-f]{{12}}$' | grep -vxF {shlex.quote(keep)} | while read -r image; do
  grep -rqF -- "$image" {named} 2>/dev/null || docker image rm "$image" >/dev/null 2>&1
done
test ! -e {PULLED} || sort -u {PULLED} | while IFS=@ read -r name digest; do
  if test "$name" = {shlex.quote(repository)} && test "$digest" != {shlex.quote(keep.partition("@")[2] or "-")} &&
    ! grep -rqF -- "$digest" {named} 2>/dev/null && docker image rm "$name@$digest" >/dev/null 2>&1; then continue; fi
  docker image inspect "$name@$digest" >/dev/null 2>&1 && echo "$name@$digest"
done > {PULLED}.new && mv {PULLED}.new {PULLED} 2>/dev/null
rm -f {PULLED}.new
true"""
