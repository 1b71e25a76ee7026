"""Deploy locks, journals, the ledger, the preflight, the probe and the watch: pure code of a release."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facts.host_files import AppendedText
from lab.waiting import wait_for
from operations.deployment import PublicProbe
from operations.probing import SteadyProbe
from signupflow import cutover, probe
from signupflow.release import appended, journal, ledger, lock, prune, readiness, restores, scratch, watch
from signupflow.release.cause import cause
from signupflow.release.lock import Lock
from signupflow.release.rollout import Step
from signupflow.release.watch import Count
from tests.deploy.test_report import RECORD

pytestmark = pytest.mark.whole

# The deploy lock's scripts run in a shell, here in this machine's.


Shell = Callable[[str], str]


def held(said: str) -> Lock:
    found = lock.parse(said)
    assert found is not None, said
    return found


@pytest.fixture
def sh(tmp_path: Path) -> Shell:
    def run(script: str) -> str:
        moved = script.replace("/var/lib/signupflow", str(tmp_path))
        done = subprocess.run(["sh", "-s"], input=moved, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


ADA = Lock("run-a", "ada@laptop", "release 2", "laptop boot 1 1", 300)
BOB = Lock("run-b", "bob@desk", "it's urgent; $(rm -rf /)", "desk boot 2 2", 300)


def test_ec5_the_second_is_refused_with_the_owners_name(sh: Shell) -> None:
    assert sh(lock.acquire_script(ADA)) == ""
    said = sh(lock.acquire_script(BOB))
    assert said.startswith(lock.REFUSED)
    found = held(said)
    assert (found.owner, found.reason) == ("ada@laptop", "release 2")
    assert 290 < found.left <= 300
    assert "ada@laptop (release 2)" in found.said


def test_ec5_the_same_run_takes_its_own_lock_again(sh: Shell) -> None:
    sh(lock.acquire_script(ADA))
    assert sh(lock.acquire_script(ADA)) == ""


def test_ec5_a_lock_that_ran_out_is_taken_over_and_its_owner_learns_it(sh: Shell) -> None:
    sh(lock.acquire_script(Lock("run-a", "ada", "r", "p", -1)))
    assert sh(lock.acquire_script(BOB)) == ""
    said = sh(lock.renew_script(ADA))
    assert said.startswith(lock.LOST)
    assert held(said).owner == "bob@desk"
    assert held(said).reason == "it's urgent; $(rm -rf /)"


def test_ec5_a_lock_of_a_process_that_has_ended_is_taken_over(sh: Shell) -> None:
    sh(lock.acquire_script(ADA))
    assert sh(lock.acquire_script(BOB, gone=("run-a",))) == ""


def test_ec5_renewing_lengthens_and_returning_ends(sh: Shell) -> None:
    sh(lock.acquire_script(Lock("run-a", "ada", "r", "p", 10)))
    assert sh(lock.renew_script(ADA)) == ""
    assert held(sh(lock.READ)).left > 200
    sh(lock.return_script("run-b"))
    assert held(sh(lock.READ)).run == "run-a"
    sh(lock.return_script("run-a"))
    assert lock.parse(sh(lock.READ)) is None
    sh(lock.acquire_script(BOB))
    sh(lock.return_script(""))
    assert sh(lock.READ) == ""


def test_ec5_returning_where_there_was_never_a_lock_leaves_nothing(sh: Shell, tmp_path: Path) -> None:
    sh(lock.return_script("run-a"))
    assert not (tmp_path / "held").exists()


def test_ec5_what_people_write_into_a_lock_is_one_plain_line() -> None:
    assert lock.clean("a\nrun=other\x1b[31m") == "a?run=other?[31m"
    assert len(lock.clean("x" * 999)) == 200


ENTRY = journal.Entry("run-a", "2026-11-24T10:00:00", 8, 7, "bake", "2.0", "sha256:0")


def test_us5_3_the_journal_tells_of_a_rollout_that_did_not_end() -> None:
    text = "\n".join([ENTRY.line(), '{"run": "cut off in the mi'])
    assert journal.last(text) == ENTRY
    assert journal.unfinished(journal.last(text), serving=8) == 7
    assert journal.unfinished(journal.last(text), serving=9) is None
    assert journal.unfinished(None, serving=8) is None
    assert journal.last("") is None
    assert journal.path("app") == "/var/lib/signupflow/releases/app.journal"
    for end, switched in ((Step.DONE, True), (Step.ROLLED_BACK, False)):
        ended = journal.Entry(**{**json.loads(ENTRY.line()), "step": str(end)})
        assert journal.unfinished(ended, serving=8) is None
        assert ended.switched is switched
        assert ended.going_back == 0
    stuck = journal.Entry(**{**json.loads(ENTRY.line()), "step": str(Step.STUCK)})
    assert journal.unfinished(stuck, serving=8) == 7, "a rollout that is stuck is not over"
    back = journal.Entry(**{**json.loads(ENTRY.line()), "image": ""})
    assert (ENTRY.going_back, back.going_back) == (0, 8)


def test_sc004_the_ledger_keeps_a_release_once(tmp_path: Path) -> None:
    record = ledger.Record(
        "run-a", "app", "2.0", "sha256:0", "abc", "ada", "it's time", "2026-11-24T10:00:00+00:00", 61.5,
        "failed", "web2: 'health'",
        ("web1",), ("web1",), {"sent": 300, "failed": 0}, {"web1": {"bake": 30.1}},
    )  # fmt: skip
    script = ledger.append_script(record).replace("/var/lib/signupflow", str(tmp_path))
    for _ in range(2):
        subprocess.run(["sh", "-s"], input=script, text=True, check=True)
    text = (tmp_path / "releases" / "ledger.jsonl").read_text()
    assert len(ledger.parse(text + "not json\n")) == 1
    assert ledger.parse(text)[0].failure_reason == "web2: 'health'"
    assert ledger.parse(text)[0].as_json() == text.strip(), "programs get what stands there"


def recorded(directory: Path, *runs: str) -> str:
    """A ledger as hosts write it, with a record for each run."""
    for run in runs:
        record = ledger.Record(run, "app", "2.0", "i", "s", "ada", "@previous@ it's", "t", 1, "released", "", (), (), None, {})
        script = ledger.append_script(record).replace("/var/lib/signupflow", str(directory))
        subprocess.run(["sh", "-s"], input=script, text=True, check=True)
    return read(directory / "releases" / "ledger.jsonl")


def test_sc002_a_record_that_was_altered_or_taken_out_is_noticed(tmp_path: Path) -> None:
    text = recorded(tmp_path, "run-a", "run-b", "run-c")
    assert ledger.problems(text) == []
    one, two, three = text.splitlines(keepends=True)
    assert ledger.parse(text)[0].reason == "@previous@ it's"
    assert ledger.problems(one + two.replace("ada", "eve") + three) == [
        "line 3 (run run-c) does not follow the line before it: one was altered or taken out"
    ]
    assert "line 2 (run run-c)" in ledger.problems(one + three)[0]
    assert ledger.problems(two + three)
    unchained = json.dumps({**json.loads(three), "previous": ""})
    assert ledger.problems(one + two + unchained) == ["line 3 (run run-c) is not chained"]
    assert ledger.problems(unchained) == [], "records from before there was a chain"


# What a power cut leaves of an append: a part of the line, the blocks of a file that were never written, or anything at all.
TORN = {
    "half a line": b'{"previous": "cut o',
    "half a line with its digest": b"",
    "zero bytes": b"\0" * 30,
    "half a character": b'{"why":"gr\xc3',
    "no UTF-8": b"\xff\xfe\x80",
    "what splitlines splits at": b"a\x0cb\x1cc",
    "brackets": b"[" * 5000,
    "another document": b"[1, 2]",
}


def damaged(path: Path, name: str) -> str:
    """Tear the end of a file that is appended to; what a fact then reads of it."""
    left = TORN[name] or path.read_bytes().splitlines()[-1][:100]
    if not TORN[name]:
        left = left.replace(left[13:77], hashlib.sha256(path.read_bytes().splitlines(keepends=True)[-1]).hexdigest().encode())
    path.write_bytes(path.read_bytes() + left)
    return read(path)


def read(path: Path) -> str:
    return AppendedText().process([base64.b64encode(path.read_bytes()).decode()])


@pytest.mark.parametrize("name", TORN)
def test_a15_a_torn_line_of_the_ledger_costs_that_line_alone(tmp_path: Path, name: str) -> None:
    recorded(tmp_path, "run-a", "run-b")
    path = tmp_path / "releases" / "ledger.jsonl"
    text = damaged(path, name)
    assert (ledger.problems(text), len(ledger.torn(text))) == ([], 1), "at the end"
    recorded(tmp_path, "run-c", "run-d", "run-d")
    text = read(path)
    assert [record.run for record in ledger.parse(text)] == ["run-a", "run-b", "run-c", "run-d"]
    assert ledger.torn(text) == ["line 3 is no whole record; records before and after it count"], "told once"
    assert ledger.problems(text) == [], "its chain is whole"
    one, two, three, four, five = appended.lines(text)
    assert ledger.problems(one + two + three + five), "what was taken out is still noticed"
    assert ledger.problems(one + two + "x" + three + four + five), "and what was altered"
    if name == "half a line with its digest":
        assert ledger.problems(one + three + four + five) == [
            "line 2 does not follow the line before it: one was altered or taken out"
        ]


def test_a15_a_record_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    """The connection is lost in the append: the script runs again, and half of its own line is not taken for the record."""
    recorded(tmp_path, "run-a")
    path = tmp_path / "releases" / "ledger.jsonl"
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 2, whole.index(b'"run-a"') + 7, 1, 0):
        path.write_bytes(whole[:length])
        recorded(tmp_path, "run-a")
        recorded(tmp_path, "run-b")
        assert [record.run for record in ledger.parse(read(path))] == ["run-a", "run-b"], length
        assert ledger.problems(read(path)) == [], length


@pytest.mark.parametrize("name", [name for name in TORN if TORN[name]])
def test_a15_a_torn_line_of_a_journal_costs_that_line_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / "releases" / "app.journal"

    def append(step: Step) -> None:
        entry = dataclasses.replace(ENTRY, step=str(step))
        script = journal.append_script("app", entry).replace("/var/lib/signupflow", str(tmp_path))
        subprocess.run(["sh", "-s"], input=script, text=True, check=True)

    append(Step.SMOKE)
    last = journal.last(damaged(path, name))
    assert last
    assert last.step == Step.SMOKE
    append(Step.BAKE)
    append(Step.DONE)
    assert [entry.step for entry in journal.entries(read(path))] == [Step.SMOKE, Step.BAKE, Step.DONE]
    assert journal.last(read(path)) == dataclasses.replace(ENTRY, step="done")


@pytest.mark.parametrize("name", [name for name in TORN if TORN[name]])
def test_a15_a_torn_line_of_the_cut_over_s_journal_costs_that_line_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / "app.cutover"
    path.write_bytes(b"2026-11-24T10:00:00.000+00:00 import run-a\n" + TORN[name])
    script = appended.append_script(str(path), cutover.line("2026-11-24T10:01:00.000+00:00", cutover.Step.MOVED, "run-a"))
    assert cutover.last_step(read(path)) is cutover.Step.IMPORT
    subprocess.run(["sh", "-s"], input=script, text=True, check=True)
    assert cutover.last_step(read(path)) is cutover.Step.MOVED


def test_a15_an_empty_ledger_and_journal_are_none(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    for name in ("ledger.jsonl", "app.journal"):
        (tmp_path / "releases" / name).touch()
    assert (ledger.parse(""), ledger.problems(""), ledger.torn(""), journal.last("")) == ([], [], [], None)
    assert AppendedText().process([""]) == AppendedText.default() == ""
    assert ledger.problems(recorded(tmp_path, "run-a", "run-b")) == []


@given(st.binary(), st.binary())
def test_a15_no_bytes_keep_records_from_being_read(before: bytes, after: bytes) -> None:
    record = ledger.Record("run-a", "app", "2.0", "i", "s", "ada", "", "t", 1, "released", "", (), (), None, {})
    text = (before + b"\n" + record.line().encode() + b"\n" + after).decode(errors="surrogateescape")
    assert "run-a" in [found.run for found in ledger.parse(text)]
    assert isinstance(ledger.problems(text), list)
    assert journal.last(text) is None


def test_a15_a_record_of_a_newer_version_is_read(tmp_path: Path) -> None:
    text = recorded(tmp_path, "run-a").replace('"serves"', '"weather":"fine","serves"')
    (record,) = ledger.parse(text)
    assert (record.run, record.serves, ledger.torn(text)) == ("run-a", {}, [])


GOOD = readiness.Host(disk_free=10 * 2**30, memory_available=4 * 2**30, clock=1000.0)
NEEDS = readiness.Needs(image_bytes=200 * 2**20, new_replicas=2, replica_memory=384 * 2**20)


def test_sc004_a_host_that_has_all_is_ready() -> None:
    assert list(readiness.host_problems(GOOD, NEEDS, clock=1001.0)) == []


@pytest.mark.parametrize(
    ("host", "named"),
    [
        (readiness.Host(300 * 2**20, 4 * 2**30, 1000.0), "disk: 300 MB are free"),
        (readiness.Host(10 * 2**30, 500 * 2**20, 1000.0), "memory: 500 MB are available"),
        (readiness.Host(10 * 2**30, 4 * 2**30, 900.0), "clock: it differs from this machine's by -100 s"),
    ],
)
def test_sc004_a_host_that_lacks_something_is_not(host: readiness.Host, named: str) -> None:
    (problem,) = readiness.host_problems(host, NEEDS, clock=1000.0)
    assert problem.startswith(named)
    assert ":" in problem.removeprefix(named)


def test_sc004_the_database_certificate_and_current_release_are_judged() -> None:
    assert not list(readiness.database_problems(readiness.Database(20, 100), 16))
    assert "does not answer" in next(readiness.database_problems(None, 16))
    assert "90 of 100 connections" in next(readiness.database_problems(readiness.Database(90, 100), 16))
    assert not list(readiness.certificate_problems("a.org", 30 * 86400, 90 * 86400))
    assert "1.0 days" in next(readiness.certificate_problems("a.org", 86400, 90 * 86400))
    assert "nothing left" in next(readiness.certificate_problems("a.org", -5, 90 * 86400)).replace("has nothing", "nothing")
    assert not list(readiness.health_problems(200, "")) + list(readiness.health_problems(404, "not found"))
    assert "allow_unhealthy" in next(readiness.health_problems(503, "degraded"))
    assert "answers nothing (no reason given)" in next(readiness.health_problems(0, ""))
    assert [readiness.size_bytes(text) for text in ("1k", "384m", "2g")] == [1024, 384 * 2**20, 2 * 2**30]


METRICS = """\
# TYPE traefik_service_requests_total counter
traefik_service_requests_total{code="200",method="GET",protocol="http",service="app-on-web1-g8@file"} 95
traefik_service_requests_total{code="500",method="GET",protocol="http",service="app-on-web1-g8@file"} 4
traefik_service_requests_total{code="502",method="POST",protocol="http",service="app-on-web1-g8@file"} 1
traefik_service_requests_total{code="404",method="GET",protocol="http",service="app-on-web1-g7@file"} 1e+03
traefik_service_requests_tls_total{service="app-on-web1-g8@file",tls_version="1.3"} 7
"""


def test_us5_3_errors_are_counted_per_generation_from_traefiks_metrics() -> None:
    found = watch.counts(METRICS)
    assert found == {"app-on-web1-g8": Count(100, 5), "app-on-web1-g7": Count(1000, 0)}
    assert watch.total(found, ["app-on-web1-g8", "app-on-web1-g7", "unknown"]) == Count(1100, 5)
    assert Count(3, 1) - Count(100, 5) == Count(3, 1)
    assert Count(103, 6) - Count(100, 5) == Count(3, 1)
    assert Count().percent == 0


@pytest.mark.parametrize(
    ("new", "old", "fails"),
    [
        (Count(100, 6), Count(100, 0), True),
        (Count(100, 5), Count(100, 0), False),  # at the limit, not over it
        (Count(3, 2), Count(0, 0), False),  # too few to be a rate
        (Count(3, 3), Count(0, 0), True),
        (Count(100, 20), Count(100, 10), False),  # what failed before is not this release's doing
        (Count(100, 21), Count(100, 10), True),
        (Count(0, 0), Count(0, 0), False),
    ],
)
def test_us5_3_a_generation_that_answers_errors_fails(new: Count, old: Count, fails: bool) -> None:
    assert bool(watch.fails(new, old, 5.0)) is fails


NONE = Count()


def healthy(at: float, count: Count = NONE, database: bool | None = True) -> watch.Sample:
    return watch.Sample(at, 200, database, count)


def test_us3_5_three_failed_checks_in_a_row_roll_a_release_back() -> None:
    judged = watch.MonitoringWindow()
    said = [judged.add(item) for item in (healthy(0), *(watch.Sample(at, 503) for at in (1, 2)), healthy(3))]
    assert said == ["", "", "", ""]
    assert [bool(judged.add(watch.Sample(at, 0))) for at in (4, 5, 6)] == [False, False, True]


def test_us3_5_over_five_percent_errors_for_two_minutes_roll_a_release_back() -> None:
    judged = watch.MonitoringWindow()
    assert not judged.add(healthy(0, Count(1000, 0)))
    assert not judged.add(healthy(119, Count(2000, 100)))
    assert "6 % of 1000 answers" in judged.add(healthy(120, Count(2000, 60)))
    calm = watch.MonitoringWindow()
    assert not calm.add(healthy(0, Count(0, 0)))
    assert not calm.add(healthy(121, Count(1000, 50)))


def test_us3_5_a_database_lost_for_over_a_minute_rolls_a_release_back() -> None:
    judged = watch.MonitoringWindow()
    assert not judged.add(healthy(0, database=False))
    assert not judged.add(healthy(60, database=False))
    assert "61 s" in judged.add(healthy(61, database=False))
    again = watch.MonitoringWindow()
    for at, database in ((0, False), (50, True), (51, False), (111, None)):
        assert not again.add(healthy(at, database=database))


def test_us3_5_what_the_public_entry_says_is_read() -> None:
    body = json.dumps({"components": {"database": {"status": "unhealthy"}}})
    assert watch.sample(1, 503, body, Count()).database is False
    assert watch.sample(1, 200, "<html>", Count()).database is None
    assert watch.sample(1, 200, "[]", Count()).database is None


def test_sc004_old_releases_go_and_what_serves_or_served_before_stays() -> None:
    one_each = {number: f"app:{number}" for number in (1, 2, 5, 7, 8)}
    assert prune.doomed((8, 7), one_each, (), keep=3) == [1, 2], "nothing is known: the newest"
    assert prune.doomed((8, 7), one_each, (7, 2, 1), keep=3) == [1, 5]
    assert prune.doomed((8, 7), {7: "a", 8: "b"}, (), keep=3) == []
    assert prune.doomed((8, 2), one_each, (7, 2), keep=2) == [1, 5]
    assert prune.doomed((8, 0), {5: "a", 8: "b"}, (5,), keep=2) == []
    assert "docker image ls --quiet --no-trunc app/image" in prune.images_script("/opt/app", "app/image")
    assert prune.files_script("/opt/a b", "/etc/s", [5]) == "rm -rf '/opt/a b/g5' /etc/s/g5\n"


class HostOfReleases:
    """What a host has of releases: its journal, and a folder for each generation. Rollouts end in it as they do on hosts."""

    def __init__(self, keep: int) -> None:
        self.keep, self.number, self.serving = keep, 0, 0
        self.there: dict[int, str] = {}
        self.journal = ""

    def begin(self, image: str) -> None:
        self.number += 1
        self.there[self.number] = image
        self._note(Step.WRITE, self.number, self.serving, image)

    def released(self, image: str) -> None:
        self.begin(image)
        for number in prune.doomed((self.number, self.serving), self.there, journal.served(self.journal), self.keep):
            del self.there[number]
        self._note(Step.DONE, self.number, self.serving, image)
        self.serving = self.number

    def failed_later(self, image: str) -> None:
        """All traffic had moved, another host failed: this one is rolled back."""
        before = self.serving
        self.released(image)
        self._note(Step.DONE, before, self.serving, "")
        self.serving = before

    def _note(self, step: Step, new: int, old: int, image: str) -> None:
        self.journal += journal.Entry("run", "t", new, old, str(step), "v", image).line() + "\n"


def test_a25_the_last_releases_that_served_stay_whatever_failed_since() -> None:
    host = HostOfReleases(keep=3)
    for image in "abc":
        host.released(image)
    for number in range(5):
        host.begin(f"failed-{number}")
        host.failed_later(f"bad-{number}")
    assert set("bc") <= set(host.there.values())
    host.released("d")
    assert set(host.there.values()) == set("bcd")
    for _ in range(5):
        host.released("d")  # restarts
    assert set(host.there.values()) == set("bcd"), "a restart is no release"
    host.released("c")
    host.released("e")
    assert set(host.there.values()) == set("cde"), "the last that served, not the last that were made"


def test_a36_an_abort_is_of_the_release_that_was_begun_last_on_any_host() -> None:
    def entry(at: str, version: str, image: str, step: Step) -> str:
        return journal.Entry("run", f"2026-11-24T10:00:{at}", 8, 7, str(step), version, image).line() + "\n"

    old = entry("01.000", "1.0", "sha256:1", Step.DONE)
    begun = entry("02.000", "2.0", "sha256:2", Step.DONE)
    undone = entry("03.000", "0.9 of group_data", "", Step.STOP)
    found = journal.newest_release([old, old + begun + undone, old + entry("02.500", "2.0", "sha256:2", Step.SHIFT), ""])
    assert found
    assert (found.version, found.image, found.at[-6:]) == ("2.0", "sha256:2", "02.500")
    assert journal.newest_release(["", undone]) is None


def test_a36_restores_are_told_of_in_the_order_of_time() -> None:
    line = '{"kind":"restore","started":%d,"ended":%d,"exit_code":%d,"message":"%s","size":1}\n'
    text = line % (1795514410, 1795514420, 0, "restored x") + "torn\n" + line % (1795600000, 1795600009, 4, "no")
    good, bad = restores.parse(text + '{"started":"a","ended":2,"exit_code":0,"message":""}\n[]', "app", "db1")
    assert (good.kind, good.outcome, good.failure_reason, good.seconds, good.hosts) == (
        "restore",
        "restored",
        "restored x",
        10.0,
        ("db1",),
    )
    assert (bad.outcome, bad.failure_reason, bad.run) == ("failed", "no", "")
    before, after = (
        ledger.Record("r", "app", "", "", "", "", "", began, 1, "released", "", (), (), None, {})
        for began in ("2026-01-01T00:00:00+00:00", datetime.fromtimestamp(1795520000, UTC).isoformat(timespec="seconds"))
    )
    assert restores.among([before, after], [good, bad]) == [before, good, after, bad]
    assert restores.among([before], [good, bad]) == [before, good, bad]
    assert restores.among([], []) == []


def test_a25_the_journal_tells_which_generations_served_and_were_not_rolled_back() -> None:
    host = HostOfReleases(keep=3)
    assert journal.served("") == []
    host.released("a")
    host.begin("bad")
    host.released("b")
    assert journal.served(host.journal) == [3, 1]
    host.failed_later("c")
    assert journal.served(host.journal) == [3, 1]


@pytest.mark.parametrize("failures", [0, 3, 700])
def test_a25_trimming_the_journal_forgets_no_release_that_served(tmp_path: Path, failures: int) -> None:
    host, path = HostOfReleases(keep=3), tmp_path / "releases" / "app.journal"
    path.parent.mkdir()
    for image in "abc":
        host.released(image)
    for number in range(failures):
        host.begin(f"failed-{number}")
    path.write_bytes(host.journal.encode() + b"\xff torn")
    for _ in range(2):
        script = (journal.trim_script("app") + journal.served_script("app")).replace("/var/lib/signupflow", str(tmp_path))
        said = subprocess.run(["sh", "-s"], input=script, text=True, check=True, capture_output=True).stdout
        assert journal.served(said) == [3, 2, 1]
        kept = journal.entries(path.read_text(errors="surrogateescape"))
        assert kept[-1] == journal.entries(host.journal)[-1]
        assert len(path.read_bytes().splitlines()) <= journal.KEPT_LINES + 3


def test_a25_generations_are_listed_with_their_images(tmp_path: Path) -> None:
    for name, text in (
        ("g7", "services:\n  app:\n    image: acme/app:1.0@sha256:0\n"),
        ("g12", '    image: "app:id-0"\n'),
        ("g9", ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(text)
    (tmp_path / "g3").mkdir()
    (tmp_path / "gone").mkdir()
    said = subprocess.run(["sh", "-s"], input=prune.list_script(str(tmp_path)), text=True, check=True, capture_output=True)
    assert prune.listed(said.stdout) == {7: "acme/app:1.0@sha256:0", 12: "app:id-0", 9: "", 3: ""}
    none = subprocess.run(["sh", "-s"], input=prune.list_script("/nowhere"), text=True, check=True, capture_output=True)
    assert prune.listed(none.stdout) == {}


def test_sc009_the_probe_counts_connections_apart_from_answers() -> None:
    counted = probe.summary([5.0, 1.0, 100.0, 2.0], ["10:00:00 refused"], ["10:00:01 503"])
    assert (counted.sent, counted.failed, counted.connection, counted.http) == (4, 2, 1, 1)
    assert counted.text == "4 requests, 2 failed (1 without an answer, 1 with 5xx)"
    assert (counted.p50_ms, counted.p99_ms) == (5.0, 100.0)
    assert probe.summary([], [], []).sent == 0


def test_sc009_the_probe_sees_a_server_that_is_not_there() -> None:
    asked = probe.Probe(probe.Entry("127.0.0.1", "nobody.test"), "/", rate=50)
    threading.Timer(0.5, asked.stop).start()
    began = time.monotonic()
    counted = asked.run()
    assert counted.sent == counted.connection > 0
    assert time.monotonic() - began < 2 * probe.TIMEOUT


def test_sc009_the_probe_tells_what_it_sees_while_it_runs() -> None:
    command = [sys.executable, "-m", "signupflow.probe", "--address", "127.0.0.1", "--domain", "nobody.test", "--rate", "50"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        first = json.loads(process.stdout.readline())
        while not first["failed"]:
            # A busy machine may not have sent anything by the first line.
            first = json.loads(process.stdout.readline())
        process.stdin.close()
        last = [json.loads(line) for line in process.stdout][-1]
    assert first["whole"] is False
    assert 0 < first["failed"] <= last["failed"] == last["sent"]
    assert last["whole"] is True


def test_sc009_what_piled_up_while_nothing_answered_is_not_sent_after_the_end() -> None:
    answering = threading.Event()

    class Hanging(probe.Entry):
        def connect(self, timeout: float = probe.TIMEOUT) -> http.client.HTTPConnection:
            answering.wait(timeout)
            raise ConnectionResetError("after all")

    asked = probe.Probe(Hanging("127.0.0.1", "nobody.test"), "/", rate=2000)
    ended: list[probe.Counted] = []
    running = threading.Thread(target=lambda: ended.append(asked.run()))
    running.start()
    wait_for(lambda: asked._due.qsize() >= 100, 10, "no requests pile up", every=0.01)
    asked.stop()
    answering.set()
    running.join(10)
    assert ended[0].sent == probe.WORKERS


def test_sc009_a_run_has_one_probe_however_many_hosts_begin_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    class Slow:
        def __init__(self, entry: probe.Entry, path: str, rate: float) -> None:
            gevent.sleep(0.01)
            begun.append(path)

    monkeypatch.setattr("operations.deployment.SteadyProbe", Slow)
    run = PublicProbe()
    gevent.joinall([gevent.spawn(run.start, probe.Entry("127.0.0.1", "nobody.test"), "/", 5) for _ in range(5)])
    assert begun == ["/"]


def test_us3_5_a_release_whose_own_probe_fails_goes_back() -> None:
    run = PublicProbe()
    assert run.fails(5) == "", "no probe, nothing known"
    counted = SimpleNamespace(count=Count(50, 0))
    run._probe = cast(SteadyProbe, counted)
    assert run.fails(5) == "", "what the release began with"
    counted.count = Count(90, 2)
    assert run.fails(5) == "", "two are no rate"
    counted.count = Count(90, 4)
    assert "of the live traffic check's requests" in run.fails(5)
    assert "4 of 40" in run.fails(5)


def test_us3_5_what_the_probe_saw_fail_before_is_not_the_releases_doing() -> None:
    run = PublicProbe()
    counted = SimpleNamespace(count=Count(50, 10))
    run._probe = cast(SteadyProbe, counted)
    assert run.fails(5) == ""
    counted.count = Count(100, 20)
    assert run.fails(5) == ""
    counted.count = Count(100, 40)
    assert "30 of 50" in run.fails(5)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("Traceback\n  File x\npsycopg2.errors.Zero: by zero\n\n(Background)", "psycopg2.errors.Zero: by zero"),
        ("Error response from daemon: manifest unknown", "Error response from daemon: manifest unknown"),
        ("one\ntwo\n", "two"),
        (" \n", "it failed without a word"),
        ("x" * 999, "x" * 300),
    ],
)  # fmt: skip
def test_ec2_the_cause_is_found_among_what_a_command_printed(output: str, line: str) -> None:
    assert cause(output) == line


def test_us2_4_a_scratch_database_is_made_used_and_dropped_whatever_happens() -> None:
    text = scratch.script("psql", "db", "app", ["step one", "step two || exit 1"])
    assert text.index("trap drop EXIT") < text.index('create database "app_rehearsal"') < text.index("{ step one; }")
    assert text.index("{ step one; }") < text.index("{ step two || exit 1; }")
    assert "pg_dump --schema-only" in text
    # In a real shell: a step that fails ends the script, and the copy is dropped all the same.
    stub = 'psql() { echo "$*" | grep -o \'drop database\' >> "$log" || true; cat >/dev/null; }; docker() { :; }; '
    for steps, code, drops in ((["true"], 0, 2), (["false", "true"], 1, 2)):
        script = stub + scratch.script("psql", "db", "app", steps)
        done = subprocess.run(
            ["bash", "-c", f"log=$(mktemp); trap 'wc -l < $log' EXIT; ( {script} ); exit $?"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, int(done.stdout)) == (code, drops), done


@pytest.mark.parametrize(
    ("outcome", "hosts", "rolled_back", "settled"),
    [
        ("released", ("web1",), (), True),
        ("failed", ("web1",), ("web1",), True),
        ("failed", ("web1",), (), False),
        ("interrupted", ("web1", "web2"), ("web2",), False),
        ("failed", ("web2",), (), True),
    ],
)
def test_a7_a_run_that_is_recorded_is_not_settled_by_that(
    outcome: str, hosts: tuple[str, ...], rolled_back: tuple[str, ...], settled: bool
) -> None:
    """Failed, then interrupted before web1 went back: `abort` has something to undo there."""
    record = dataclasses.replace(RECORD, run="cut-off", outcome=outcome, hosts=hosts, rolled_back=rolled_back)
    assert ledger.settled([record], "cut-off", "web1") is settled
    assert not ledger.settled([record], "another", "web1")
    adopted = dataclasses.replace(RECORD, run="later", outcome="released", hosts=("web1",), adopted=("cut-off",))
    assert ledger.settled([record, adopted], "cut-off", "web1")


def test_a15_a_line_that_was_cut_off_spoils_only_itself(sh: Shell) -> None:
    path = journal.path("app")
    script = journal.append_script("app", ENTRY)
    sh(f'mkdir -p $(dirname {path}); printf \'{{"run":"torn\' > {path}')
    sh(script)
    assert journal.last(sh(f"cat {path}")) == ENTRY
    assert len(sh(f"cat {path}").splitlines()) == 2
