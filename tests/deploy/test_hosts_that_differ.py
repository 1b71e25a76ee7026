"""What people see, and are refused, when a host is down or hosts serve different releases: the real pyinfra, on this machine."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from signupflow.routing import Backend, RouteTable
from tests.deploy.local_host import DIGEST, LocalHost
from tests.deploy.test_rollback import record

# It starts the whole program, once for each case.
pytestmark = pytest.mark.slow

IMAGES = {version: f"acme/app:{version}{DIGEST[:-4]}{number:04d}" for number, version in enumerate(("1.0", "2.0"))}
ONE, TWO = (record(version, image=image) for version, image in IMAGES.items())
BOTH = RouteTable({"@local": (Backend(7, ("http://a:1",), 50), Backend(8, ("http://b:1", "http://b:2"), 50))})


def typed(folder: Path) -> str:
    """What a verb begins with, for this host's inventory."""
    return f"signupflow -i {folder / 'inventory.py'}"


def split(folder: Path) -> LocalHost:
    """A release that was cut off in the shift."""
    found = LocalHost(folder)
    found.history(dataclasses.replace(ONE, version="0.9", image=f"{ONE.image[:-1]}9"), ONE)
    found.serves(BOTH, (7, "1.0", IMAGES["1.0"]), (8, "2.0", IMAGES["2.0"]))
    return found


def test_a13_status_and_history_show_what_can_be_known_when_the_first_host_is_down(tmp_path: Path) -> None:
    host = LocalHost(tmp_path, away=("web9",))
    host.history(ONE)
    for deploy in ("status", "history"):
        done = host.run(deploy)
        assert done.returncode != 0, done.stdout
        # As a word: a disk may have 71.0 GiB free.
        assert re.findall(r"(?<!\S)1\.0(?!\S)(?! [KMGT]iB)", done.stdout) == ["1.0"], done.stdout
        assert "Error: web9 is unreachable" in done.stdout
        assert "Traceback" not in done.stdout
    told = host.run("status", SIGNUPFLOW_JSON="1").stdout
    found = json.JSONDecoder().raw_decode(told[told.index("{\n") :])[0]
    assert [state["name"] for state in found["hosts"] if state["problem"]] == ["web9"]


def test_a26_a_split_is_the_first_line_of_the_status_with_the_verb_that_ends_it(tmp_path: Path) -> None:
    done = split(tmp_path).run("status")
    told = done.stdout[done.stdout.index("hosts serve") :].splitlines()
    assert told[0].startswith(
        f"hosts serve different releases: @local has 1.0 and 2.0. Finish: `{typed(tmp_path)} deploy`; undo: "
    )
    assert told[1].startswith("signupflow in lab: UNHEALTHY")
    assert done.returncode == 2


def test_a26_doctor_restart_and_a_rollback_to_nothing_named_are_refused_in_a_split(tmp_path: Path) -> None:
    host = split(tmp_path)
    for deploy in ("doctor", "restart", "rollback"):
        done = host.run(deploy)
        assert done.returncode != 0
        said = f"Error: hosts serve different releases: @local has 1.0 and 2.0. Finish: `{typed(tmp_path)} deploy`"
        assert said in done.stdout, deploy


def test_a26_a_named_rollback_leads_out_of_a_split(tmp_path: Path) -> None:
    """As far as the image, which this host is said not to have any more."""
    done = split(tmp_path).run("rollback", "-y", "--data", "rollback_to=1.0")
    assert "different releases" not in done.stdout
    assert "no host has the image of 1.0 any more" in done.stdout


def test_a26_one_release_is_no_split(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    host.history(ONE)
    host.serves(RouteTable({"@local": (Backend(7, ("http://a:1",)),)}), (7, "1.0", IMAGES["1.0"]), (8, "2.0", IMAGES["2.0"]))
    done = host.run("status")
    assert "different releases" not in done.stdout
    assert done.returncode == 0


def scaled(folder: Path) -> LocalHost:
    """`scale 2`, where `app_replicas` is 1."""
    host = LocalHost(folder)
    host.history(ONE, TWO)
    host.serves(RouteTable({"@local": (Backend(8, ("http://a:1", "http://a:2")),)}), *[(8, "2.0", IMAGES["2.0"])] * 2)
    return host


def test_us8_2_one_command_starts_more_replicas_beside_those_that_serve(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    host.history(ONE)
    host.serves(RouteTable({"@local": (Backend(7, ("http://a:1",)),)}), (7, "1.0", IMAGES["1.0"]))
    told = host.run("scale", "--dry", "--data", "app_replicas=4").stdout
    steps = ["start: 4 replicas of generation 8 beside generation 7", "health: each", "switch: all traffic", "stop: generation 7"]
    assert sorted(steps, key=told.index) == steps, told
    assert "Release of signupflow 1.0" in told, "the version that serves, not another"
    assert "1 host would change: @local" in told


def test_a32_a_restart_keeps_what_was_scaled_and_says_so(tmp_path: Path) -> None:
    done = scaled(tmp_path).run("restart", "--dry")
    assert f"@local keeps its 2 replicas; app_replicas is 1, which `{typed(tmp_path)} deploy` applies" in done.stdout
    assert "start: 2 replicas of generation 9 beside generation 8" in done.stdout, done.stdout


def test_a32_what_a_run_says_and_what_a_deploy_s_settings_say_counts(tmp_path: Path) -> None:
    host = scaled(tmp_path)
    for words in (("restart", "--dry", "--data", "app_replicas=3"), ("scale", "--dry", "--data", "app_replicas=3")):
        done = host.run(*words)
        assert "keeps its" not in done.stdout
        assert "start: 3 replicas of generation 9 beside generation 8" in done.stdout, done.stdout


def test_a36_restores_are_in_the_history(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    host.history(dataclasses.replace(ONE, started_at="2026-11-20T10:00:00+00:00"))
    kept = tmp_path / "var" / "backup" / "restores.jsonl"
    kept.parent.mkdir()
    kept.write_text(
        '{"kind":"restore","started":1795514410,"ended":1795514420,"exit_code":0,"message":"restored 2026F","size":1}\n'
    )
    told = host.run("history").stdout
    assert "restored: restored 2026F" in " ".join(told.split())
    assert "1 records; none was altered" in told
    *_, last = [line for line in host.run("history", SIGNUPFLOW_JSON="1").stdout.splitlines() if line.startswith("{")]
    assert json.loads(last)["kind"] == "restore"
