"""Whose lock may be taken over: only one of a run that this very machine began, and whose process is no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operations import lock
from signupflow.release.lock import Lock


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def held(run: str, process: str) -> Lock:
    return Lock(run, "ada@runner", "release 2.0", process, 300, 200)


GONE = "999999999"


def process(*, boot: str = "", pid: str = "", start: str = "1") -> str:
    parts = lock.this_process().split()
    parts[1], parts[3], parts[4] = boot or parts[1], pid or parts[3], start
    return " ".join(parts)


def test_a9_a_clone_of_a_controller_does_not_take_over_what_it_did_not_begin() -> None:
    """The same image: machine-id equal, another boot, or even the same one, resumed from a snapshot."""
    assert not lock.ended(held("somebody-elses", process(boot="another-boot")))
    assert not lock.ended(held("somebody-elses", process(pid=GONE)))


def test_a9_what_began_here_and_is_no_more_is_taken_over() -> None:
    lock.remember("mine")
    assert lock.ended(held("mine", process(pid=GONE)))
    assert lock.ended(held("mine", process(boot="before-the-reboot")))


def test_a9_what_began_here_and_lives_is_not() -> None:
    lock.remember("mine")
    assert not lock.ended(held("mine", lock.this_process()))


def test_a9_nothing_is_known_of_another_machine_or_of_half_a_name() -> None:
    lock.remember("mine")
    machine, *rest = process(pid=GONE).split()
    assert not lock.ended(held("mine", " ".join(["f" * 32, *rest])))
    assert not lock.ended(held("mine", machine))
    assert not lock.ended(held("mine", ""))


def test_a9_a_machine_keeps_no_more_runs_than_it_may_and_none_where_it_may_not_write(state_folder: Path) -> None:
    for number in range(lock.KEPT_RUNS + 5):
        lock.remember(f"run{number}")
    kept = (state_folder / "signupflow" / "runs").read_text().split()
    assert (len(kept), kept[-1]) == (lock.KEPT_RUNS, f"run{lock.KEPT_RUNS + 4}")
    os.environ["XDG_STATE_HOME"] = "/proc/nowhere"
    lock.remember("lost")
    assert not lock.began_here("lost")


def test_a10_a_step_that_takes_longer_than_the_lock_lasts_does_not_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is renewed beside whatever the run is waiting for: an hour of disaster recovery is one step."""
    import gevent

    scripts: list[str] = []
    monkeypatch.setattr(lock, "RENEW_AFTER", 0.02)

    def noted(host: object, script: str, *rest: object, **more: object) -> str:
        scripts.append(script)
        return ""

    monkeypatch.setattr(lock, "run", noted)
    mine = lock.DeployLock("mine")
    host = type("AnyHost", (), {"name": "web1"})()
    assert mine.acquire([host], "ada", "disaster recovery") is None
    deadline = gevent.Timeout.start_new(10)
    while len(scripts) < 5:  # nothing but the lock's own greenlet does anything here
        gevent.sleep(0.01)
    deadline.close()
    mine.release()
    assert all("run=mine" in script for script in scripts[:-1])


def test_a10_a_lock_that_somebody_else_took_stops_the_run_at_its_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "run", lambda host, script, *rest, **more: "" if "refused" in script else "lost\n")
    mine = lock.DeployLock("mine")
    host = type("AnyHost", (), {"name": "web1"})()
    assert mine.acquire([host], "ada", "release") is None
    with pytest.raises(lock.LockLostError, match="it was released"):
        mine.renew(now=["web1"])
    with pytest.raises(lock.LockLostError, match="it was released"):
        mine.renew()
    mine.release()
