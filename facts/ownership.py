"""Whose a host is, as its owner file and what a deploy has left there show."""

from __future__ import annotations

import base64

from pyinfra.api import FactBase

from signupflow.ownership import CLUSTER, PATH, Owner, Seen

# A bare host has none of this. Names only: what is in the files stays there, but for the owner file, which holds no secret.
SCRIPT = rf"""
if test -f {PATH}; then printf 'owner '; base64 -w0 {PATH}; echo; fi
for d in /opt/signupflow/app-*/; do
  test -d "$d" || continue
  n=${{d#/opt/signupflow/app-}}; echo "app ${{n%/}}"
  for g in "$d"g[0-9]*/; do if test -d "$g"; then echo served; break; fi; done
done
for d in /opt/signupflow/schema-*/; do n=${{d#/opt/signupflow/schema-}}; if test -d "$d"; then echo "app ${{n%/}}"; fi; done
for f in /opt/signupflow/traefik/config/dynamic/app-*-servers.yaml; do
  n=${{f##*/app-}}; if test -f "$f"; then echo "app ${{n%-servers.yaml}}"; echo served; fi
done
if command -v docker >/dev/null; then
  docker ps --all --filter label=org.signupflow.app --format '{{{{.Label "org.signupflow.app"}}}}' 2>/dev/null | sed 's/^/app /'
fi
f=/etc/signupflow/backup/backup.json
if test -f $f; then
  sed -n 's/^  "environment": "\(.*\)",\{{0,1\}}$/environment \1/p; s/^  "database": "\(.*\)",\{{0,1\}}$/database \1/p' $f
fi
f=/opt/signupflow/postgres/config/pg_hba.conf
if test -f $f; then
  sed -n 's/^hostssl \([a-z][a-z0-9-]*\) .*$/database \1/p' $f
fi
if test -e {CLUSTER}/PG_VERSION; then echo cluster; fi
true
"""


class HostOwner(FactBase[Seen]):
    """Whose this host is, in one round trip; of a bare host, nobody's."""

    @staticmethod
    def default() -> Seen:
        return Seen()

    def command(self) -> str:
        return SCRIPT

    def process(self, output: list[str]) -> Seen:
        rows = [line.partition(" ") for line in output]
        found = {name: frozenset(value for key, _, value in rows if key == name) for name in ("app", "environment", "database")}
        owner = next((base64.b64decode(value).decode(errors="replace") for key, _, value in rows if key == "owner"), None)
        flags = {line for line in output if " " not in line}
        return Seen(
            Owner.parse(owner), found["app"], found["environment"], found["database"], "served" in flags, "cluster" in flags
        )
