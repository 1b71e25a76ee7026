"""What a restore left out, read from the log of the cluster that it replaced: how many transactions, from when until when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from backup import ancestry
from backup.archive import segment_name, segments
from backup.server import Server
from signupflow.shared import humanize

# initdb's default.
SEGMENT_BYTES = 16 << 20
# PostgreSQL's own tables have lower numbers; a commit that names relations dropped or truncated some.
FIRST_USER_RELATION = 16384
# Row changes of tables that are not PostgreSQL's own, by transaction; then those of them that were committed.
COUNT = """
/^rmgr: Heap/ {
  if (match($0, /tx: +[0-9]+/)) {
    tx = substr($0, RSTART + 3, RLENGTH - 3) + 0
    if (match($0, /rel [0-9]+\\/[0-9]+\\/[0-9]+/)) {
      split(substr($0, RSTART, RLENGTH), part, "/")
      if (part[3] + 0 >= first_user) changed[tx] = 1
    }
  }
}
/^rmgr: Transaction/ && / desc: COMMIT / {
  match($0, /tx: +[0-9]+/)
  tx = substr($0, RSTART + 3, RLENGTH - 3) + 0
  if ((tx in changed) || / rels: /) {
    count++
    match($0, /COMMIT [0-9-]+ [0-9:.]+ UTC/)
    last = substr($0, RSTART + 7, RLENGTH - 11)
    if (count == 1) first = last
  }
  delete changed[tx]
}
END { print count + 0 "|" first "|" last }
"""


@dataclass(frozen=True)
class LeftOut:
    """Transactions that changed rows and are in no timeline that goes on. `count` None: they could not be counted."""

    count: int | None
    first: datetime | None = None
    last: datetime | None = None

    def said(self, since: float, kept: str) -> str:
        """In a line, with where it is kept."""
        if self.count is None:
            return f"left out is what was committed after {humanize.moment(since)}: it is in {kept} alone"
        if not self.count or not self.first or not self.last:
            return f"nothing is left out; the previous cluster is kept as {kept}"
        of = f"from {self.first:%F %T.%f} to {self.last:%F %T.%f} UTC"
        return f"left out are {self.count} transactions, {of}: they are in {kept} alone"


def parse(text: str) -> LeftOut:
    """What `COUNT` prints."""
    found = re.fullmatch(r"([0-9]+)\|([^|]*)\|([^|]*)", text.strip())
    if not found:
        return LeftOut(None)
    count, first, last = found.groups()
    return LeftOut(int(count), *(_moment(stamp) if stamp else None for stamp in (first, last)))


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC)


# All of a segment's log lies beside each other while it is read; more is not fetched for a number.
MOST_FETCHED = 64
READ = """
set -e
wal=$1 place=$2 timeline=$3 at=$4 first_user=$5 program=$6 fetched=$7
trap 'rm -rf "$place"' EXIT
rm -rf "$place"
mkdir "$place"
ln -s "$wal"/0* "$place"/
for segment in $fetched; do
  pgbackrest --log-level-console=off archive-get "$segment" "$place/$segment"
  test -f "$place/$segment"
done
TZ=UTC nice -n 10 pg_waldump --rmgr=Heap --rmgr=Heap2 --rmgr=Transaction --timeline="$timeline" --start="$at" --path="$place" \
  2>/dev/null | awk -v first_user="$first_user" "$program"
"""


def found(server: Server, wal: str, held: Iterable[str], timeline: int, at: str) -> LeftOut:
    """Read a log directory, in which these files are, from a place on; what it has no more comes from the archive.

    `pg_waldump` ends with an error where the log ends, which is no fault.
    """
    fetched = missing(held, timeline, at)
    if fetched is None:
        return LeftOut(None)
    # Where whatever a kill leaves is swept away (backup/scratch.py).
    place = f"{wal.rsplit('/', 2)[0]}/scratch-count"
    words = (wal, place, str(timeline), at, str(FIRST_USER_RELATION), COUNT, " ".join(fetched))
    done = server.run(("sh", "-c", READ, "sh", *words))
    return LeftOut(None) if done.code else parse(done.out)


def missing(held: Iterable[str], timeline: int, at: str) -> list[str] | None:
    """Segments that a log directory has no more, from a place on until the first that it has; None when they are too many."""
    if not timeline or not at:
        return None
    first = ancestry.lsn(at) // SEGMENT_BYTES
    there = [position for line, position in segments(held) if line == timeline and position >= first]
    if not there or min(there) - first > MOST_FETCHED:
        return None
    return [segment_name(timeline, position) for position in range(first, min(there))]
