"""The cutover from an old service on SQLite: what it costs, that nothing is lost, and that every failure leads back."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.client import Lab
from signupflow.cutover import Step
from signupflow.shared.places import APP_UID
from tests import releases, tenants
from tests.app.harness import run_alembic
from tests.proofs.releasing import Evidence, Released, must, nothing_to_do, options, release, started, until
from tests.sqlite_import import files

DEPLOY = "deploys/migrate_sqlite.py"
OURS = "signupflow/app:local"
OLD, DIRECTORY = "old-signupflow", "/srv/old-signupflow"
FILE = f"{DIRECTORY}/signupflow.sqlite"
SETTINGS: dict[str, Any] = {
    "legacy_sqlite_file": FILE,
    # The host, as its containers reach it: Docker's own bridge.
    "legacy_upstream": "http://172.17.0.1:8000",
    "legacy_stop": f"docker stop {OLD}",
    "legacy_start": f"docker start {OLD}",
}
SMOKE_FAILS = ["python", "-c", "raise SystemExit('marker-smoke: this suite always fails')"]
# Stops nothing, and something of the old service's writes for half a minute: `time` and `sqlite3` are all that it needs.
GOES_ON_WRITING = (
    f"docker exec -d {OLD} python -c \"import sqlite3, time; [(sqlite3.connect('{FILE}', isolation_level=None)"
    ".execute('update people set name = name || char(46)'), time.sleep(0.1)) for _ in range(300)]\""
)
SERVERS = "/opt/signupflow/traefik/config/dynamic/app-signupflow-servers.yaml"
JOURNAL = "/var/lib/signupflow/releases/signupflow.cutover"


@dataclass
class Writer:
    """Writes events through the public entry, one after another, and keeps what became of each."""

    lab: Lab
    token: str
    acknowledged: list[str] = field(default_factory=list)
    answers: list[tuple[float, str]] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)

    def _write(self) -> None:
        domain = self.lab["domains"][0]
        body = {"type": "service", "start_time": "2027-01-10T09:00:00Z", "end_time": "2027-01-10T11:00:00Z"}
        while not self._stopped.wait(0.1):
            try:
                answer = self.lab.https(domain, "/api/v1/events", "POST", body, self.token)
                status = str(answer.status)
                if answer.status == 201:
                    self.acknowledged.append(answer.json()["id"])
            except OSError as error:
                status = type(error).__name__
            self.answers.append((time.monotonic(), status))

    def page_seconds(self) -> float:
        """From the first answer of the page to the last."""
        shown = [at for at, status in self.answers if status == "503"]
        return round(max(shown) - min(shown), 1) if shown else 0.0

    def statuses(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _, status in self.answers:
            found[status] = found.get(status, 0) + 1
        return found


def counts(lab: Lab) -> dict[str, int]:
    """Rows of each table in PostgreSQL."""
    query = (
        "select format('select %L || chr(32) || count(*) from %I', tablename, tablename) from pg_tables"
        " where schemaname = 'public' and tablename <> 'alembic_version' \\gexec"
    )
    said = lab.ssh(
        lab.the("db"), "sudo docker exec -i -u postgres signupflow-postgres psql -X -At -q -d signupflow", stdin=f"{query}\n"
    )
    lines = (line.split() for line in said.splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


def in_file(lab: Lab) -> tuple[dict[str, int], set[str]]:
    """Rows of each table of the old service's file, and the ids of its events; the service may be running."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("signupflow.sqlite", "signupflow.sqlite-wal"):
            copied = subprocess.run(
                [*lab.ssh_command(lab.the("db")), f"sudo cat {DIRECTORY}/{name} 2>/dev/null || true"],
                capture_output=True,
                check=True,
            ).stdout
            if copied:
                (Path(folder) / name).write_bytes(copied)
        with closing(sqlite3.connect(Path(folder) / "signupflow.sqlite")) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = {
                name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                for name in names
                if not name.startswith("sqlite_") and name != "alembic_version"
            }
            return rows, {row[0] for row in connection.execute("SELECT id FROM events")}


def events(lab: Lab) -> set[str]:
    said = lab.ssh(
        lab.the("db"), "sudo docker exec -u postgres signupflow-postgres psql -X -At -d signupflow -c 'select id from events'"
    )
    return set(said.split())


@contextmanager
def old_service(lab: Lab, times: int = 1, image: str = OURS) -> Iterator[None]:
    """The host as one that serves from SQLite: nothing released, an empty PostgreSQL, the old service and its file."""
    host = lab.the("db")
    lab.ssh(host, WIPE)
    lab.pyinfra("-y", *options(app_image=image))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signupflow.sqlite"
        assert run_alembic(f"sqlite:///{path}", "upgrade", "head").returncode == 0
        files.fill(path, times)
        lab.ssh(host, WIPE)
        with path.open("rb") as data:
            subprocess.run([*lab.ssh_command(host), f"sudo tee {FILE} >/dev/null"], stdin=data, check=True)
    _send(lab, host, image)
    variables = {
        "APP_ENV": "development",
        "DATABASE_URL": f"sqlite:///{FILE}",
        "ALLOWED_HOSTS": ",".join([*lab["domains"], "172.17.0.1"]),
        "DATA_DIR": DIRECTORY,
    }
    flags = " ".join(f"-e {name}='{value}'" for name, value in variables.items())
    lab.ssh(
        host,
        f"sudo chown -R {APP_UID}:{APP_UID} {DIRECTORY} && sudo docker run -d --name {OLD} --restart unless-stopped {flags}"
        f" -v {DIRECTORY}:{DIRECTORY} -p 8000:8000 {image}",
    )
    try:
        yield
    finally:
        lab.ssh(host, CLEAN)


# What is of the old service, wherever it is; what has been released stays.
CLEAN = f"""
sudo docker rm -f {OLD} signupflow-maintenance >/dev/null 2>&1
sudo rm -rf {DIRECTORY} {JOURNAL} {SERVERS.replace("servers", "legacy")} {SERVERS.replace("servers", "maintenance")} \
  /opt/signupflow/maintenance /opt/signupflow/cutover-signupflow
"""
# And what has been released, with its database.
WIPE = f"""{CLEAN}
sudo docker ps -aq --filter label=org.signupflow.app=signupflow | xargs -r sudo docker rm -f >/dev/null
sudo rm -rf /opt/signupflow/app-signupflow /etc/signupflow/secrets/app-signupflow {SERVERS} \
  /var/lib/signupflow/releases/signupflow.journal
sudo docker exec -u postgres signupflow-postgres psql -X -q -d postgres -c 'drop database signupflow with (force)'
sudo mkdir -p {DIRECTORY}
"""


def _send(lab: Lab, host: str, image: str) -> None:
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        load = [*lab.ssh_command(host), "sudo docker load -q"]
        subprocess.run(load, stdin=saved.stdout, check=True, stdout=subprocess.DEVNULL)
    assert saved.returncode == 0


def cut_over(lab: Lab, image: str = OURS, **settings: Any) -> Released:
    return release(lab, image, DEPLOY, **{**SETTINGS, **settings})


def moved_under_load(lab: Lab, times: int = 1, image: str = OURS) -> Evidence:
    """Nothing that was acknowledged is lost, and what is not acknowledged is the page's 503; then the new service has it all."""
    with old_service(lab, times, image):
        # Until its rows are moved, nothing else is released.
        refused = release(lab, image, "deploys/production.py", **SETTINGS)
        assert refused.code == 2, refused.said[-3000:]
        assert "migrate_sqlite.py" in refused.said, refused.said[-3000:]
        behind_the_edge(lab, image)
        plan = planned(lab, image)
        return {"file_mb": _size(plan), "dry_run_says": plan, **_moved(lab, image)}


def back_and_then_moved(lab: Lab, image: str = OURS) -> Evidence:
    """A smoke suite that fails, and the same again with one that does not."""
    with old_service(lab, image=image):
        behind_the_edge(lab, image)
        planned(lab, image)
        return {"rolled_back": _failed(lab, image, app_smoke_command=SMOKE_FAILS), **_moved(lab, image)}


def _moved(lab: Lab, image: str) -> Evidence:
    before, _ = in_file(lab)
    _, token = tenants.organisation(lab)
    with Writer(lab, token) as writer:
        time.sleep(1)
        done = must(cut_over(lab, image))
        time.sleep(1)
    rows, old_events = in_file(lab)
    kept, arrived = counts(lab), events(lab)
    again = lab.pyinfra("-y", "--json", *options(app_image=image, **SETTINGS), deploy=DEPLOY)
    changed = [row["name"] for row in json.loads(again.stdout)["results"]["operations"] if row["success"]]
    _, new_token = tenants.organisation(lab)
    tenants.event(lab, new_token)
    nothing_to_do(lab, image, **SETTINGS)
    evidence: Evidence = {
        "rows_before": sum(before.values()),
        "rows_in_the_file_at_the_end": sum(rows.values()),
        "rows_in_postgresql": sum(kept.values()),
        "seconds": done.seconds,
        "steps": steps(done.said),
        "seconds_of_the_page": writer.page_seconds(),
        "answers_to_writes": writer.statuses(),
        "acknowledged": len(writer.acknowledged),
        "lost": len(set(writer.acknowledged) - arrived),
        "old_service": lab.ssh(lab.the("db"), f"sudo docker inspect --format '{{{{.State.Status}}}}' {OLD}").strip(),
        "changed_by_a_second_run": changed,
    }
    assert rows == kept, (rows, kept)
    assert set(writer.acknowledged) <= old_events & arrived, evidence
    assert len(writer.acknowledged) > 5, evidence
    # The old service's tokens are not the new one's here: 401 is what a client sees first of it.
    assert set(evidence["answers_to_writes"]) <= {"201", "503", "401"}, evidence
    assert evidence["old_service"] == "exited", evidence
    assert not changed, evidence
    return evidence


def behind_the_edge(lab: Lab, image: str) -> None:
    """Routed to the old service, as a first cutover that ends at its check leaves it: here, by a file that is not there yet."""
    elsewhere = cut_over(lab, image, legacy_sqlite_file=f"{DIRECTORY}/nowhere.sqlite")
    assert elsewhere.code == 1, elsewhere.said[-4000:]
    assert "there is no file" in elsewhere.why, elsewhere.why
    lab.wait_for_health(lab["domains"][0], 60)


def planned(lab: Lab, image: str) -> list[str]:
    """What a dry run says of the cutover; it touches nothing."""
    host = lab.the("db")
    look = (
        f"sudo docker ps -aq --no-trunc | sort; sudo find /opt/signupflow {DIRECTORY} -type f | xargs sudo stat -c '%n %Y' | sort"
    )
    before = lab.ssh(host, look)
    said = lab.pyinfra("--dry", "--diff", *options(app_image=image, **SETTINGS), deploy=DEPLOY)
    assert lab.ssh(host, look) == before
    text = said.stdout + said.stderr
    lines = [line.partition("]")[2].strip() for line in text.splitlines() if re.search(r"\]\s{4,}[a-z]+: ", line)]
    assert [line.partition(":")[0] for line in lines] == ["check", "page", "stop", "import", "smoke", "release", "open"], text
    return lines


def _size(plan: list[str]) -> float:
    found = re.search(r"\(([0-9,.]+) MB\)", plan[0])
    assert found, plan
    return float(found[1].replace(",", ""))


def steps(said: str) -> dict[str, float]:
    """Step to the second at which it began."""
    found = re.findall(r"\]\s+([0-9.]+) s  ([a-z]+)$", re.sub(r"\x1b\[[0-9;]*m", "", said), re.MULTILINE)
    return {step: float(at) for at, step in found}


def rolled_back(lab: Lab, image: str = OURS) -> Evidence:
    """Each failure behind the page: the old service serves again, its file has every write, PostgreSQL is empty."""
    evidence: Evidence = {}
    with old_service(lab, image=image):
        behind_the_edge(lab, image)
        failing: dict[str, tuple[str, dict[str, Any]]] = {
            "the smoke suite fails": (image, {"app_smoke_command": SMOKE_FAILS}),
            "the release does not start": (releases.image("exit", 90), {}),
            "the old service does not stop": (image, {"legacy_stop": "echo 'marker-stop: no such unit' >&2; exit 5"}),
            "the old service goes on writing": (image, {"legacy_stop": GOES_ON_WRITING}),
        }
        for what, (failing_image, settings) in failing.items():
            evidence[what] = _failed(lab, failing_image, **settings)
    assert "marker-smoke" in evidence["the smoke suite fails"]["said"], evidence
    assert "marker-stop" in evidence["the old service does not stop"]["said"], evidence
    assert "was written to after it was read" in evidence["the old service goes on writing"]["said"], evidence
    return evidence


def _failed(lab: Lab, image: str, **settings: Any) -> Evidence:
    """A cutover that fails behind the page, under load: all is as before."""
    _, token = tenants.organisation(lab)
    with Writer(lab, token) as writer:
        time.sleep(1)
        failed = cut_over(lab, image, **settings)
        time.sleep(2)
    domain = lab["domains"][0]
    _, in_old = in_file(lab)
    found = {
        "exit_code": failed.code,
        "said": failed.why,
        "steps": list(steps(failed.said)),
        "seconds_of_the_page": writer.page_seconds(),
        "answers_to_writes": writer.statuses(),
        "acknowledged": len(writer.acknowledged),
        "lost": len([each for each in writer.acknowledged if each not in in_old]),
        "rows_left_in_postgresql": sum(counts(lab).values()),
        "last_answer": writer.answers[-1][1],
    }
    assert failed.code == 1, failed.said[-4000:]
    assert found["lost"] == 0, found
    assert found["rows_left_in_postgresql"] == 0, found
    assert found["last_answer"] == "201", found
    assert lab.https(domain, "/health").status == 200
    assert not lab.ssh(lab.the("app"), "sudo docker ps -aq --filter label=org.signupflow.app=signupflow")
    return found


def killed(
    lab: Lab, at: tuple[Step, ...] = (Step.PAGE, Step.STOP, Step.IMPORT, Step.SMOKE, Step.RELEASE, Step.OPEN), image: str = OURS
) -> Evidence:
    """SIGKILL when a step begins: nothing is lost, and the next run comes to the end."""
    rows = []
    for step in at:
        with old_service(lab, image=image):
            behind_the_edge(lab, image)
            _, token = tenants.organisation(lab)
            with Writer(lab, token) as writer:
                time.sleep(1)
                with started(lab, image, DEPLOY, **SETTINGS) as run:
                    until(run, _at(step))
                    run.send_signal(signal.SIGKILL)
                    run.wait()
                done = must(cut_over(lab, image))
            lost = [each for each in writer.acknowledged if each not in events(lab)]
            rows.append(
                {
                    "killed_at": str(step),
                    "next_run": list(steps(done.said)),
                    "acknowledged": len(writer.acknowledged),
                    "lost": len(lost),
                }
            )
            assert not lost, rows
            assert set(writer.statuses()) <= {"201", "503", "401"}, writer.statuses()
    return {"kills": rows}


def _at(step: Step) -> Callable[[str], bool]:
    return lambda text: step in steps(text)


def in_full(lab: Lab) -> Evidence:
    """Small and large, four failures, a kill at each step from the page on."""
    return {
        "small": moved_under_load(lab),
        "large": moved_under_load(lab, times=300),
        "rolled_back": rolled_back(lab),
        "killed": killed(lab),
    }
