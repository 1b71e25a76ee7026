"""What people see of a running service says at a glance whether it is well."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from functools import partial

from rich.console import Console

from signupflow import status_report
from signupflow.release import ledger
from signupflow.release.ledger import Record
from signupflow.status_report import DomainState, HostState, Serves, Status

HOST = HostState("web1", ("app", "edge"), (Serves(8, "2.0", 100, 2, 2, "2026-11-24 10:00"),), 5 * 2**30, 2**30)
RECORD = Record(
    "r", "app", "2.0", "sha256:0", "s", "ada@desk", "", "2026-11-24T10:00:00+00:00", 61.2, "failed", "web2: no health",
    ("web1",), ("web1",), {"sent": 300, "failed": 2}, {}, kind="rollback", commit="0123456789abcdef",
)  # fmt: skip
WELL = Status("production", "app", (HOST,), (DomainState("a.org", 200, "", 61.4),), "b4e6", last=(RECORD,))


def shown(draw: Callable[[Console], object]) -> str:
    out = io.StringIO()
    draw(Console(file=out, width=160))
    return out.getvalue()


def test_us7_1_one_screen_tells_that_all_is_well() -> None:
    text = shown(lambda console: status_report.print_status(WELL, console))
    assert "app in production: healthy" in text
    for word in (
        "web1",
        "2.0 (generation 8)",
        "2 of 2",
        "a.org",
        "200",
        "61 days",
        "b4e6",
        "free",
        "rollback",
        "ada@desk",
        "2 of 300",
    ):
        assert word in text, word
    assert json.loads(WELL.as_json())["healthy"] is True


def test_us7_2_whatever_is_wrong_is_seen() -> None:
    lost = dataclasses.replace(HOST, serves=(Serves(8, "2.0", 100, 2, 1),))
    for bad, word in (
        (dataclasses.replace(WELL, hosts=(lost,)), "1 of 2"),
        (dataclasses.replace(WELL, hosts=(HOST, HostState("web2", ("app",), problem="is unreachable"))), "is unreachable"),
        (dataclasses.replace(WELL, domains=(DomainState("a.org", 0, "certificate: expired", 0),)), "certificate: expired"),
        (dataclasses.replace(WELL, domains=(DomainState("a.org", 503, "", 9),)), "503"),
        (dataclasses.replace(WELL, hosts=()), "UNHEALTHY"),
    ):
        text = shown(partial(status_report.print_status, bad))
        assert "UNHEALTHY" in text
        assert word in text
        assert json.loads(bad.as_json())["healthy"] is False
    up = dataclasses.replace(WELL, maintenance="moving the database")
    assert "maintenance page is up: moving the database" in shown(lambda console: status_report.print_status(up, console))
    old = dataclasses.replace(WELL, unmoved="/srv/old/signupflow.sqlite")
    assert "served by the old service on /srv/old/signupflow.sqlite" in shown(
        lambda console: status_report.print_status(old, console)
    )


def test_sc002_the_history_says_when_it_was_tampered_with() -> None:
    text = shown(lambda console: status_report.print_history([RECORD], [], console))
    assert "0123456789ab" in text
    assert "failed: web2: no health" in text
    assert "none was altered" in text
    cut = shown(lambda console: status_report.print_history([RECORD], [], console, ["line 3 is no whole record"]))
    assert "line 3 is no whole record (power was lost while it was written)" in cut
    assert "none was altered" in cut
    damaged = shown(lambda console: status_report.print_history([RECORD], ["line 3 is no record"], console))
    assert "the history is damaged: line 3 is no record" in damaged
    assert "none was altered" not in damaged
    assert "nothing was deployed yet" in shown(lambda console: status_report.print_history([], [], console))


def test_a36_the_history_as_json_has_what_the_ledger_has() -> None:
    record = dataclasses.replace(RECORD, previous="ab" * 32)
    (read,) = ledger.parse(record.as_json())
    assert json.loads(read.as_json()) == json.loads(record.as_json())
    assert (list(read.hosts), list(read.rolled_back)) == (["web1"], ["web1"])
    assert "@previous@" not in record.as_json()
