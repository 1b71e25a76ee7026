"""How this very connection came in: whatever of the inventory, of ~/.ssh/config or of a provider made it so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# sudo takes SSH_CONNECTION away, so it is read of the shell above it. Without SSH, as on this machine, there is none.
SCRIPT = r"""
p=$$
while test "${p:-0}" -gt 1; do
  c=$(tr '\0' '\n' 2>/dev/null </proc/$p/environ | sed -n 's/^SSH_CONNECTION=//p' | head -n 1)
  if test -n "$c"; then
    set -- $c; echo "port $4"
    # What a rule of the host's own redirected is judged by the port that the client asked for.
    sed -n "s/.* src=$1 dst=[^ ]* sport=$2 dport=\([0-9]*\) .*/port \1/p" /proc/net/nf_conntrack 2>/dev/null | head -n 1
    break
  fi
  p=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$p/status 2>/dev/null)
done
PATH=/usr/sbin:$PATH
sshd -T 2>/dev/null | sed -n 's/^port /port /p'
systemctl show ssh.socket --property=ActiveState --property=Listen 2>/dev/null |
  awk '/^ActiveState=active/ { on = 1 } /^Listen=/ && /Stream/ { split($1, w, ":"); l[++n] = w[length(w)] }
       END { if (on) for (i = 1; i <= n; i++) print "port", l[i] }'
echo "login ${SUDO_USER:-$(id -un)}"
"""


@dataclass(frozen=True)
class Access:
    """`ports` are those of this connection and of sshd, `login` is who came in."""

    ports: frozenset[int] = frozenset()
    login: str = ""


def parse(lines: Iterable[str]) -> Access:
    rows = [line.split() for line in lines]
    ports = frozenset(int(row[1]) for row in rows if row[:1] == ["port"] and len(row) == 2 and row[1].isdigit())
    login = next((row[1] for row in rows if row[:1] == ["login"] and len(row) == 2), "")
    return Access(ports, login)
