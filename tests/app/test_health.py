"""`/health`, `/health/live`, `/health/ready` by the contract in SPEC.md."""

import asyncio
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.health import memory
from app.health.bounded import BoundedCheck
from tests.app.harness import development, production, serving
from tests.timing import within


def assert_contract(body: dict[str, Any]) -> None:
    assert list(body) == ["status", "timestamp", "version", "uptime", "components", "checks"]
    assert body["status"] in {"healthy", "degraded"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
    assert type(body["uptime"]) is int
    assert set(body["components"]) == {"api", "database", "storage"}
    for component in body["components"].values():
        assert component["status"] in {"healthy", "unhealthy"}
        assert re.fullmatch(r"\d+ms", component["responseTime"])
    assert set(body["components"]["database"]["connectionPool"]) == {"active", "idle", "max"}
    assert set(body["checks"]) == {"database", "diskSpace", "memory"}
    assert set(body["checks"].values()) <= {"passed", "failed"}


def test_us7_1_health_reports_status_with_component_details(sqlite_url: str) -> None:
    with serving(development(sqlite_url, APP_VERSION="9.8.7")) as (client, app):
        app.state.health._memory = lambda: 10.0
        app.state.health._disk = BoundedCheck(lambda: 45, 5)
        answer = within(0.1, lambda: client.get("/health"))
    assert answer.status_code == 200
    body = answer.json()
    assert_contract(body)
    assert body["status"] == "healthy"
    assert body["version"] == "9.8.7"
    assert body["components"]["storage"]["diskUsage"] == "45%"
    assert set(body["checks"].values()) == {"passed"}
    assert body["components"]["database"]["connectionPool"]["max"] == 6


def test_us7_2_database_down_reports_degraded_without_driver_text() -> None:
    with serving(production()) as (client, _):
        answer = client.get("/health")
        assert answer.status_code == 503
        body = answer.json()
        assert_contract(body)
        assert body["status"] == "degraded"
        assert body["checks"]["database"] == "failed"
        database = body["components"]["database"]
        assert database["error"] == "connection failed"
        assert database["lastSuccessfulConnection"] is None
        for inside in ("127.0.0.1", "psycopg2", "refused", "3f9c1e7ab5d2486f90"):
            assert inside not in answer.text
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(("disk", "memory_used", "failed"), [(90, 0.0, "diskSpace"), (89, 85.0, "memory")])
def test_fr018_full_disk_or_memory_degrades(sqlite_url: str, disk: int, memory_used: float, failed: str) -> None:
    with serving(development(sqlite_url)) as (client, app):
        app.state.health._disk = BoundedCheck(lambda: disk, 5)
        app.state.health._memory = lambda: memory_used
        answer = client.get("/health")
        live = client.get("/health/live")
    assert answer.status_code == 503
    assert_contract(answer.json())
    assert [name for name, verdict in answer.json()["checks"].items() if verdict == "failed"] == [failed]
    assert live.status_code == 200


def test_fr018_just_below_the_limits_is_healthy(sqlite_url: str) -> None:
    with serving(development(sqlite_url)) as (client, app):
        app.state.health._disk = BoundedCheck(lambda: 89, 5)
        app.state.health._memory = lambda: 84.9
        assert client.get("/health").status_code == 200


def test_fr018_a_hanging_database_never_hangs_health(sqlite_url: str) -> None:
    release = threading.Event()
    with serving(development(sqlite_url)) as (client, app):
        app.state.health._probe = BoundedCheck(lambda: release.wait(60) and None, 0.3)
        # The first comes while the database hangs; those after it find that out and do not wait again.
        for answer in (client.get("/health"), within(0.2, lambda: client.get("/health"))):
            assert answer.status_code == 503
            assert answer.json()["components"]["database"]["error"].startswith("no answer within")
        assert not release.is_set()
        release.set()


def test_fr018_draining_is_not_ready_but_alive(sqlite_url: str) -> None:
    with serving(development(sqlite_url)) as (client, app):
        assert client.get("/health/ready").status_code == 200
        app.state.lifecycle.draining = True
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/ready/database").json() == {"status": "draining"}
        assert client.get("/health/live").status_code == 200


def test_fr018_probes_answer_under_any_host_and_pages_do_not() -> None:
    with serving(production(ALLOWED_HOSTS="app.test")) as (client, _):
        assert client.get("/health/live").status_code == 200
        assert client.get("/").status_code == 400
        assert client.get("/", headers={"Host": "app.test:8443"}).status_code == 200


def test_fr018_concurrent_callers_share_one_run() -> None:
    runs = []

    def slow() -> int:
        runs.append(1)
        time.sleep(0.05)
        return 7

    async def many() -> list[int]:
        check = BoundedCheck(slow, 2)
        return await asyncio.gather(*(check() for _ in range(20)))

    assert asyncio.run(many()) == [7] * 20
    assert len(runs) == 1


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


MACHINE = {"proc/meminfo": "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n"}


def test_fr018_memory_cgroup_v2_without_reclaimable_cache(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "1000\n",
        "sys/fs/cgroup/memory.current": "900\n",
        "sys/fs/cgroup/memory.stat": "anon 300\ninactive_file 600\nactive_file 0\n",
    }
    assert memory.used_percent(write(tmp_path, MACHINE | files)) == 30


def test_fr018_memory_cgroup_v1_under_the_tightest_limit(tmp_path: Path) -> None:
    base = "sys/fs/cgroup/memory/"
    files = {
        "proc/self/cgroup": "5:cpuset:/x\n4:memory:/docker/abc\n",
        base + "memory.limit_in_bytes": "2000\n",
        base + "memory.usage_in_bytes": "900\n",
        base + "memory.stat": "inactive_file 1\ntotal_inactive_file 400\nhierarchical_memory_limit 1000\n",
    }
    assert memory.used_percent(write(tmp_path, MACHINE | files)) == 50


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_fr018_memory_without_a_limit_is_the_machine_s(tmp_path: Path, limit: str) -> None:
    files = {
        "sys/fs/cgroup/memory.max": limit,
        "sys/fs/cgroup/memory.current": "900",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "900",
    }
    assert memory.used_percent(write(tmp_path, MACHINE | files)) == 60


def test_fr018_memory_unknown_is_unknown(tmp_path: Path) -> None:
    assert memory.used_percent(tmp_path) is None
