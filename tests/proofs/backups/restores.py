"""Back to a second, one table, and what is refused."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from backup import archive
from lab.client import Lab
from lab.waiting import wait_for
from tests.proofs.backups import faults
from tests.proofs.backups.host import PSQL, Evidence, backup, idle, listed, must, on_host, sql


@dataclass
class Writer:
    """Rows with a number each, one after another; which were acknowledged, and when by the server's clock."""

    lab: Lab
    table: str = "proof_writes"
    acknowledged: list[tuple[int, float]] = field(default_factory=list)

    def __enter__(self) -> Writer:
        create = f"create table {self.table} (n bigserial primary key, at timestamptz not null default clock_timestamp())"
        sql(self.lab, f"drop table if exists {self.table}; {create}")
        insert = f"insert into {self.table} default values returning n, extract(epoch from clock_timestamp());"
        loop = f"while echo {json.dumps(insert)}; do sleep 0.02; done | {PSQL}"
        argv = [*self.lab.ssh_command(self.lab.the("db")), loop]
        self._run = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.until(20)
        return self

    def _read(self) -> None:
        assert self._run.stdout
        with suppress(ValueError):
            for line in self._run.stdout:
                number, _, stamp = line.strip().partition("|")
                if number.isdigit() and stamp:
                    self.acknowledged.append((int(number), float(stamp)))

    def until(self, more: int, seconds: float = 60) -> None:
        """Until so many more rows were acknowledged."""
        wanted = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= wanted, seconds, "nothing is acknowledged any more")

    def __exit__(self, *_: object) -> None:
        self._run.kill()
        self._run.wait()
        self._thread.join(timeout=10)
        assert self._run.stdout
        self._run.stdout.close()


def to_the_second_before(lab: Lab) -> Evidence:
    """A table is dropped under steady writes; after a restore it has what was acknowledged before that second, and no more."""
    idle(lab)
    if not listed(lab)["backups"]:
        must(backup(lab))
    with Writer(lab) as writer:
        writer.until(30)
        moment = float(sql(lab, "select extract(epoch from clock_timestamp())"))
        writer.until(60)
        sql(lab, f"drop table {writer.table}")
    text = datetime.fromtimestamp(moment, UTC).isoformat()
    began = time.monotonic()
    restored = must(on_host(lab, f"signupflow-restore --target production --force --point-in-time {text}"))
    seconds = time.monotonic() - began
    kept = {int(line) for line in sql(lab, f"select n from {writer.table}").splitlines()}
    before = {number for number, at in writer.acknowledged if at <= moment}
    after = {number for number, at in writer.acknowledged if at > moment}
    # That second is on the timeline that was left: it would pass for the one that was gone back to.
    between = datetime.fromtimestamp(moment + 0.5, UTC).isoformat()
    replaced = on_host(lab, f"signupflow-restore --target production --dry-run --point-in-time {between}")
    assert replaced.code == 1, replaced
    assert "a restore went back to" in replaced.error, replaced
    late = int(sql(lab, f"select count(*) from {writer.table} where at > to_timestamp({moment})"))
    assert before, "nothing was acknowledged before that second"
    assert after, "nothing was acknowledged after it"
    assert not before - kept, f"lost: {sorted(before - kept)[:5]}"
    # A row that was committed in that very moment may have been acknowledged after it.
    assert len(kept & after) <= 1, f"too much: {sorted(kept & after)[:5]}"
    assert late == 0, late
    lab.wait_for_health(lab["domains"][0], seconds=60)
    backed_up = listed(lab)["backups"][-1]
    sql(lab, f"drop table {writer.table}")
    discard_kept(lab)
    return {
        "acknowledged_before": len(before),
        "acknowledged_after": len(after),
        "lost": 0,
        "later_rows": late,
        "seconds_with_checks_and_full_backup": round(seconds, 1),
        "full_backup_after": backed_up["label"],
        "half_a_second_later": replaced.error,
        "said": [line.strip() for line in restored.said.splitlines()],
    }


def discard_kept(lab: Lab) -> None:
    """What restores kept is not wanted by the next test."""
    for name in on_host(lab, "signupflow-restore kept").said.split():
        if name.startswith("before-"):
            must(on_host(lab, f"signupflow-restore discard {name}"))


def one_table(lab: Lab) -> Evidence:
    """Rows were deleted by mistake: the table as it was is beside the live one, which nobody touched."""
    idle(lab)
    sql(lab, "drop table if exists proof_repair; create table proof_repair as select g as n from generate_series(1, 1000) g")
    moment = sql(lab, "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    time.sleep(0.1)
    sql(lab, "delete from proof_repair where n > 10")
    must(on_host(lab, f"signupflow-restore --target production --table proof_repair --into repair --point-in-time {moment}"))
    counts = sql(lab, "select (select count(*) from repair.proof_repair), (select count(*) from proof_repair)")
    sql(lab, "drop schema repair cascade; drop table proof_repair")
    assert counts == "1000|10", counts
    return {"in_repair": 1000, "live": 10}


def asks_first(lab: Lab) -> Evidence:
    """Production is not replaced without being asked for; the contract's codes for what cannot be done."""
    found = {}
    for name, words, code in (
        ("default target is staging", "", 7),
        ("nobody to ask", "--target production", 6),
        ("no such backup", "--target production --force --backup 20200101-000000F", 1),
        ("before the first backup", "--target production --force --point-in-time 2020-01-01T00:00:00Z", 1),
        ("no zone", "--target production --force --point-in-time 2026-11-27T02:15:00", 7),
        ("dry run", "--target production --dry-run", 0),
    ):
        done = on_host(lab, f"signupflow-restore {words}")
        assert done.code == code, (name, done)
        assert "Traceback" not in done.said, done.said
        found[name] = {"exit": done.code, "said": (done.error or done.said.strip().splitlines()[-1])[:200]}
    return found


def to_a_restore_point(lab: Lab) -> Evidence:
    """Back to the name that a release left before itself; what came after it is gone."""
    idle(lab)
    sql(lab, "drop table if exists proof_point; create table proof_point as select 1 as n")
    name = f"before-proof-{int(time.time())}"
    sql(lab, f"select pg_create_restore_point('{name}')")
    must(on_host(lab, f"sh -c \"date -u +'%s {name}' >> /var/lib/signupflow/backup/restore-points\""))
    sql(lab, "insert into proof_point values (2); delete from proof_point where n = 1")
    must(on_host(lab, f"signupflow-restore --target production --force --restore-point {name}"))
    assert sql(lab, "select string_agg(n::text, ',') from proof_point") == "1"
    unknown = on_host(lab, "signupflow-restore --target production --force --restore-point before-nothing")
    assert unknown.code == 1, unknown
    sql(lab, "drop table proof_point")
    discard_kept(lab)
    return {"restored_to": name, "unknown_point": unknown.error}


def way_back(lab: Lab) -> Evidence:
    """A restored cluster that the checks cannot find fault with, and on which the live server does not come: it gets the old one
    back. What does it here is a socket directory that is not there; scratch instances have one of their own.
    """
    idle(lab)
    before = on_host(lab, "signupflow-restore kept").said
    sql(lab, "alter system set unix_socket_directories = '/nowhere'")
    try:
        must(backup(lab))
    finally:
        sql(lab, "alter system reset unix_socket_directories")
    sql(lab, "drop table if exists proof_back; create table proof_back as select 1 as n")
    began = time.monotonic()
    done = on_host(lab, "signupflow-restore --target production --force")
    seconds = time.monotonic() - began
    assert done.code == 4, done
    assert "the previous database serves again" in done.error, done
    assert sql(lab, "select count(*) from proof_back") == "1", "not the old cluster"
    sql(lab, "drop table proof_back")
    assert on_host(lab, "signupflow-restore kept").said == before
    lab.wait_for_health(lab["domains"][0], seconds=60)
    # So that the newest backup is one to restore from again.
    must(backup(lab))
    return {"exit": done.code, "said": done.error, "seconds": round(seconds, 1)}


def a_hole_is_told(lab: Lab) -> Evidence:
    """A segment is gone from both repositories: what lies before it never passes for the last change, nor does it replace it."""
    idle(lab)
    with faults.segment_missing(lab) as segment:
        find = f"find /var/lib/signupflow/backup-repository/archive -name '{segment}-*'"
        path = must(on_host(lab, find)).said.strip()
        must(on_host(lab, f"mv {path} /root/segment"))
        try:
            done = on_host(lab, "signupflow-restore --target production --force")
        finally:
            must(on_host(lab, f"mv /root/segment {path}"))
        rows = sql(lab, "select count(*) from proof_wal")
    assert done.code == 2, done
    assert f"replay ended at segment {archive.segment_name(*before(segment))}" in done.error, done
    assert "--point-in-time 20" in done.error, done
    assert rows == "3", "the live database was touched"
    return {"missing": segment, "exit": done.code, "said": done.error}


def before(segment: str) -> tuple[int, int]:
    timeline, number = archive.number(segment)
    return timeline, number - 1
