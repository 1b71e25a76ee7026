"""Somebody writes all the time while the database is restored: what was acknowledged is there, or named with where it is kept."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.client import Lab
from lab.errors import LabError
from lab.waiting import wait_for
from tests.proofs.backups.host import Done, Evidence, backup, idle, listed, must, on_host, sql
from tests.proofs.backups.kills import COMMAND
from tests.proofs.backups.restores import discard_kept

TABLE = "proof_rows"
PSQL = "sudo docker exec -i -u postgres signupflow-postgres psql -X -q -At -d signupflow"
RESTORE = "signupflow-restore --target production --force"
# By the line that the restore has just printed: before, while and after it stops writes, and round the exchange.
TO_THE_LAST_CHANGE = (
    *("restoring ", "files are here", "nothing is written any more", "checking tables"),
    *("stopping PostgreSQL", "the restored cluster is in place"),
)
TO_A_MOMENT = ("files are here", "checking pages", "stopping PostgreSQL", "the restored cluster is in place")
# Between a row's own time and that of its commit.
COMMIT_SECONDS = 2.0


@dataclass
class Writer:
    """Numbers, one row after another, by a session that is begun again whenever it ends; which were acknowledged, and when."""

    lab: Lab
    acknowledged: dict[int, float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Writer:
        sql(self.lab, f"drop table if exists {TABLE}; create table {TABLE} (n bigint primary key)")
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self.until(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)

    def _work(self) -> None:
        number = 0
        while not self._ended.is_set():
            argv = [*self.lab.ssh_command(self.lab.the("db")), PSQL]
            with subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as session:
                with suppress(OSError, ValueError):
                    while not self._ended.is_set() and self._written(session, number := number + 1):
                        time.sleep(0.01)
                session.kill()

    def _written(self, session: subprocess.Popen[str], number: int) -> bool:
        """Whether the session goes on."""
        assert session.stdin
        assert session.stdout
        insert = f"insert into {TABLE} values ({number}) returning 'row', n, extract(epoch from clock_timestamp())"
        session.stdin.write(f"{insert};\n\\echo asked\n")
        session.stdin.flush()
        for line in session.stdout:
            if line.strip() == "asked":
                return True
            word, _, rest = line.strip().partition("|")
            n, _, stamp = rest.partition("|")
            if word == "row":
                self.acknowledged[int(n)] = float(stamp)
        return False

    def until(self, more: int, seconds: float = 120) -> None:
        """Until so many more rows were acknowledged."""
        wanted = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= wanted, seconds, "nothing is acknowledged any more")


def written_to(lab: Lab, to_the_last: Sequence[str] = TO_THE_LAST_CHANGE, to_a_moment: Sequence[str] = TO_A_MOMENT) -> Evidence:
    """Without a target, to a moment, to a moment that was replaced; then kills at these lines of the first two."""
    idle(lab)
    discard_kept(lab)
    must(backup(lab))
    with Writer(lab) as writer:
        last = must(on_host(lab, RESTORE))
        writer.until(20)
        moment = now(lab)
        writer.until(40)
        back = must(on_host(lab, to(moment)))
        writer.until(20)
        between = on_host(lab, to(moment + 0.3))
        kills = [_killed(lab, writer, lambda: RESTORE, line) for line in to_the_last]
        kills += [_killed(lab, writer, lambda: to(now(lab) - 1), line) for line in to_a_moment]
        writer.until(20)
    found = counted(lab, writer)
    said = {name: _last_line(done) for name, done in (("to_the_last_change", last), ("to_a_moment", back))}
    evidence = found | said | {"to_a_replaced_moment": between.error, "kills": kills}
    sql(lab, f"drop table {TABLE}")
    discard_kept(lab)
    assert not found["neither_there_nor_named"], evidence
    assert "nothing is left out" in said["to_the_last_change"], evidence
    assert "left out are " in said["to_a_moment"], evidence
    assert between.code == 1, evidence
    assert "what was in between is in /var/lib/signupflow/postgres/before-" in between.error, evidence
    assert found["named"], evidence
    assert all(row["killed"] for row in kills), evidence
    return evidence


def now(lab: Lab) -> float:
    return float(sql(lab, "select extract(epoch from clock_timestamp())"))


def to(moment: float) -> str:
    return f"{RESTORE} --point-in-time {datetime.fromtimestamp(moment, UTC).isoformat()}"


def _last_line(done: Done) -> str:
    return next((line.strip() for line in done.said.splitlines() if re.search(r"\brestored \S+ to ", line)), "")


def _killed(lab: Lab, writer: Writer, command: Callable[[], str], at: str) -> dict[str, Any]:
    """Kill a restore once it says that; what the timer does follows, and users write again."""
    argv = [*lab.ssh_command(lab.the("db")), f"sudo {command()}"]
    said: list[str] = []
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        assert run.stdout
        for line in run.stdout:
            said.append(line.strip())
            if at in line:
                break
        on_host(lab, "sh -s", stdin=COMMAND)
        said += [line.strip() for line in run.stdout]
        ended = run.wait(timeout=300)
    on_host(lab, "signupflow-backup watch")
    lab.wait_for_health(lab["domains"][0], seconds=90)
    writer.until(10)
    return {
        "command": argv[-1].split("--force")[-1].strip() or "to the last change",
        "at": at,
        "killed": ended != 0,
        "ended": ended,
    }


def counted(lab: Lab, writer: Writer) -> dict[str, Any]:
    """Of each acknowledged row: it is there, or in a cluster that is named for its time; of that cluster it is asked for."""
    there = rows(sql(lab, f"select n from {TABLE}"))
    missing = {number: at for number, at in writer.acknowledged.items() if number not in there}
    named: set[int] = set()
    intervals = listed(lab)["replaced"]
    for item in intervals:
        since, until = (datetime.fromisoformat(item[name]).timestamp() for name in ("since", "until"))
        within = {number for number, at in missing.items() if since - COMMIT_SECONDS <= at <= until}
        if within - named:
            named |= within & _of_kept(lab, item["kept"])
    lost = sorted(set(missing) - named)
    return {
        "acknowledged": len(writer.acknowledged),
        "there": len(writer.acknowledged) - len(missing),
        "named": len(named),
        "neither_there_nor_named": len(lost),
        "examples": [(number, writer.acknowledged[number]) for number in lost[:5]],
        "intervals": intervals,
    }


def rows(text: str) -> set[int]:
    return {int(line) for line in text.splitlines() if line.strip().isdigit()}


def _of_kept(lab: Lab, path: str) -> set[int]:
    """The rows in a cluster that a restore kept, by a server on it."""
    image = must(on_host(lab, "docker inspect -f '{{.Image}}' signupflow-postgres")).said.strip()
    must(
        on_host(
            lab,
            f"docker run --detach --rm --name proof-kept --network none --user 999:999 --volume {path}:/c --entrypoint postgres"
            f" {image} -D /c -c unix_socket_directories=/tmp -c archive_mode=off -c listen_addresses= -c ssl=off",
        )
    )
    try:
        ask = f"docker exec proof-kept psql -X -At -h /tmp -U postgres -d signupflow -c 'select n from {TABLE}'"

        def answered() -> Done | None:
            found = on_host(lab, ask)
            return found if found.code == 0 else None

        done = wait_for(answered, 60, f"{path} does not start")
        assert done
        return rows(done.said)
    finally:
        on_host(lab, "docker stop --time 60 proof-kept")
        with suppress(LabError):
            wait_for(lambda: on_host(lab, "docker inspect proof-kept").code != 0, 30, "it goes on")
