"""Who holds the locks of apt and dpkg: on a host's first boot, cloud-init or a timer of apt's own, for minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# DPkg::Lock::Timeout waits for dpkg's; `apt-get update` gives up at once on that of the lists.
FILES = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")

# perl-base is essential on Debian, and only fcntl(2) says who holds a lock: an open file is no held one. The numbers are
# F_WRLCK, F_GETLK and F_UNLCK, the letters struct flock of every 64-bit Linux.
HOLDERS = rf"""
perl -e 'for (@ARGV) {{ open(my $f, "+<", $_) or next; my $l = pack("s s x4 q q i x4", 1, 0, 0, 0, 0); fcntl($f, 5, $l) or next;
  my ($t, $w, $s, $n, $p) = unpack("s s x4 q q i", $l); print "$_ $p\n" if $t != 2 }}' {" ".join(FILES)} 2>/dev/null |
while read -r file pid; do
  unit=$(sed -n 's#.*/\([^/]*\.\(service\|scope\)\)$#\1#p' /proc/$pid/cgroup 2>/dev/null | head -n 1)
  echo "holds $file $pid ${{unit:--}} $(tr '\0' ' ' 2>/dev/null </proc/$pid/cmdline | cut -c 1-80)"
done
"""


@dataclass(frozen=True)
class Holder:
    """A process that holds one of the locks; `unit` is systemd's, empty when it is of none."""

    file: str
    pid: int
    unit: str
    command: str

    def __str__(self) -> str:
        of = f" of {self.unit}" if self.unit else ""
        return f"`{self.command or 'a process'}` (process {self.pid}{of}) holds {self.file}"


def holders(lines: Iterable[str]) -> Iterator[Holder]:
    """What `HOLDERS` printed, among other lines."""
    for line in lines:
        words = line.split(maxsplit=4)
        if words[:1] == ["holds"] and len(words) >= 4 and words[2].isdigit():
            yield Holder(words[1], int(words[2]), words[3].removeprefix("-"), words[4].strip() if len(words) > 4 else "")
