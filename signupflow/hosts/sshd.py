"""Whether sshd's settings are in force: `sshd -T` decides, since a file that is written may never be read, or read too late."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

CONFIG = "/etc/ssh/sshd_config"
DROP_IN = "/etc/ssh/sshd_config.d/10-signupflow.conf"
# Without these the host is open; somebody's own limits of attempts or times are left as they are.
ESSENTIAL = ("passwordauthentication", "kbdinteractiveauthentication", "permitrootlogin", "allowusers")


@dataclass(frozen=True)
class Sshd:
    """What sshd would do with the drop-in in its place. `set_in` is keyword to the places that set it, in the order in which
    they are read; `includes` whether sshd_config reads the drop-ins at all; `broken` is why there is no answer.
    """

    there: bool = False
    includes: bool = False
    effective: dict[str, tuple[str, ...]] = field(default_factory=dict)
    set_in: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    broken: str = ""


def wanted(drop_in: str) -> dict[str, str]:
    """The drop-in's own settings, keywords in lower case."""
    rows = (line.split(maxsplit=1) for line in drop_in.splitlines() if line.strip() and not line.startswith("#"))
    return {row[0].lower(): row[1].strip() for row in rows if len(row) == 2}


def script(drop_in: str, user: str) -> str:
    """Ask sshd, as root, about a copy of its configuration with the drop-in, as it judges this user; changes nothing."""
    packed = base64.b64encode(drop_in.encode()).decode()
    words = "|".join(ESSENTIAL)
    return rf"""
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
if test "$(id -u)" = 0 && command -v sshd >/dev/null && test -f {CONFIG}; then
  echo there
  made=; test -d /run/sshd || {{ mkdir -m 0755 /run/sshd; made=1; }}
  t=$(mktemp -d /run/signupflow-sshd.XXXXXX); trap 'rm -rf "$t"; test -z "$made" || rmdir /run/sshd' EXIT
  mkdir "$t/d"; cp -p /etc/ssh/sshd_config.d/*.conf "$t/d/" 2>/dev/null
  echo {packed} | base64 -d >"$t/d/{DROP_IN.rpartition("/")[2]}"
  sed -E "s#^([[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee][[:space:]=].*)/etc/ssh/sshd_config\.d/#\1$t/d/#" {CONFIG} >"$t/sshd_config"
  grep -qE "^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee][[:space:]=].*$t/d/" "$t/sshd_config" && echo includes
  for of in {shlex.quote(user)} root; do
    sshd -T -f "$t/sshd_config" -C user=$of,host=localhost,addr=192.0.2.1,laddr=192.0.2.2,lport=22 2>"$t/said" |
      sed "s/^/sshd $of /" || true
    test ! -s "$t/said" || sed 's/^/broken /' "$t/said"
  done
  for f in "$t/sshd_config" "$t"/d/*.conf; do
    real=/etc/ssh/sshd_config.d/${{f##*/}}; test "$f" != "$t/sshd_config" || real={CONFIG}
    test "$real" = {DROP_IN} || grep -niE '^[[:space:]]*({words})[[:space:]=]' "$f" | sed "s#^#set $real:#"
  done
fi
true
"""


def parse(lines: Iterable[str], user: str) -> Sshd:
    effective: dict[str, list[str]] = {}
    set_in: dict[str, list[str]] = {}
    flags, broken, ports = set(), "", set()
    for line in lines:
        words = line.split(maxsplit=3)
        if words[:1] == ["set"] and (found := re.match(r"set (\S+?):(\d+):\s*([A-Za-z]+)", line)):
            # Drop-ins are read where the first line of sshd_config includes them: before what stands below it.
            set_in.setdefault(found[3].lower(), []).append(f"{found[1]}:{found[2]}")
        elif words[:1] == ["sshd"] and len(words) == 4:
            key = words[2].lower()
            if key == "port" and words[3].isdigit():
                ports.add(int(words[3]))
            if words[1] == user or key == "permitrootlogin":
                effective.setdefault(key, []).extend(words[3].split())
        elif words[:1] == ["broken"]:
            broken = broken or line.partition(" ")[2].strip()
        elif len(words) == 1:
            flags.add(words[0])
    return Sshd(
        "there" in flags,
        "includes" in flags,
        {key: tuple(dict.fromkeys(values)) for key, values in effective.items()},
        {key: tuple(sorted(places, key=lambda place: place.startswith(f"{CONFIG}:"))) for key, places in set_in.items()},
        frozenset(ports),
        "" if effective else broken,
    )


def problems(found: Sshd, drop_in: str) -> Iterator[str]:
    """Why the settings would not be in force, each with where and what to do; nothing where there is no sshd to ask."""
    if not found.there:
        return
    if found.broken:
        yield f"sshd: its configuration is refused by itself: {found.broken}"
        return
    if not found.includes:
        yield (
            f"sshd: {CONFIG} has no `Include /etc/ssh/sshd_config.d/*.conf`, so keys-only logins would be written and not in "
            "force: put that as its first line"
        )
        return
    for keyword, value in _essential(drop_in).items():
        others = [item for item in found.effective.get(keyword, ()) if item not in value.split()]
        if others:
            where = ", ".join(found.set_in.get(keyword, ())) or "a Match block, or a file that it includes"
            yield f"sshd: {keyword} would be {' '.join(others)} in place of {value}, by {where}: take that line away"


def _essential(drop_in: str) -> Mapping[str, str]:
    return {keyword: value for keyword, value in wanted(drop_in).items() if keyword in ESSENTIAL}


def in_force(drop_in: str, user: str) -> str:
    """A condition on the host: sshd itself says that the settings are in force, for this user and for root."""
    base = "sshd -T -C host=localhost,addr=192.0.2.1,laddr=192.0.2.2,lport=22,user="
    tests = [
        f"{base}{'root' if keyword == 'permitrootlogin' else user} | grep -i '^{keyword} ' | grep -qiv '^{keyword} {value}$'"
        for keyword, value in _essential(drop_in).items()
    ]
    # Each looks for something else than what is wanted; a keyword that this sshd does not know says nothing.
    return "mkdir -p -m 0755 /run/sshd && " + " && ".join(f"! {{ {test}; }}" for test in tests)
