"""Backups on a real host: made, proven, restored; what fails is told once, and the old stays until something new is proven."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from tests import tenants
from tests.lab_client import ROOT, Lab

Evidence = dict[str, Any]

STATE = "/var/lib/signupflow/backup"
PSQL = "sudo docker exec -i -u postgres signupflow-postgres psql -X -q -At -v ON_ERROR_STOP=1 -d signupflow"
# Ended before the newest backup is looked for; a first deploy begins one.
IDLE_SECONDS = 300.0


@dataclass(frozen=True)
class Done:
    """How a command on the host ended, and all that it said."""

    code: int
    said: str

    @property
    def error(self) -> str:
        """The line that says why it failed."""
        return next((line for line in self.said.splitlines() if line.startswith("Error: ")), "")


def on_host(lab: Lab, command: str, stdin: str = "", seconds: float = 900) -> Done:
    """Run a command as root on the database's host."""
    argv = [*lab.ssh_command(lab.the("db")), f"sudo {command}"]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    return Done(done.returncode, done.stdout + done.stderr)


def sql(lab: Lab, query: str) -> str:
    return lab.ssh(lab.the("db"), PSQL, stdin=query).strip()


def idle(lab: Lab) -> None:
    """Until no backup runs, as the first deploy's may."""
    deadline = time.monotonic() + IDLE_SECONDS
    while on_host(lab, "systemctl is-active signupflow-backup.service").said.strip() in ("active", "activating"):
        assert time.monotonic() < deadline, "a backup runs for too long"
        time.sleep(0.5)


def backup(lab: Lab) -> Done:
    idle(lab)
    return on_host(lab, "signupflow-backup run")


def must(done: Done) -> Done:
    assert done.code == 0, done.said[-3000:]
    return done


def listed(lab: Lab) -> dict[str, Any]:
    done = on_host(lab, "signupflow-backup list --json")
    assert done.code == 0, done.said
    found: dict[str, Any] = json.loads(done.said)
    return found


def metrics(lab: Lab) -> dict[str, float]:
    """What the host tells whoever collects metrics."""
    text = on_host(lab, f"cat {STATE}/signupflow_backup.prom").said
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def bucket(lab: Lab) -> Any:
    """The lab's S3, from this machine."""
    return boto3.client(
        "s3",
        endpoint_url=lab["s3_endpoint_address"],
        aws_access_key_id=lab["s3_access_key"],
        aws_secret_access_key=lab["s3_secret_key"],
        region_name=lab["s3_region"],
        verify=lab["s3_ca_file"],
        config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"max_attempts": 2}),
    )


@contextmanager
def stored(lab: Lab) -> Iterator[Any]:
    client = bucket(lab)
    try:
        yield client
    finally:
        client.close()


def objects(lab: Lab, prefix: str = "") -> dict[str, int]:
    """Key to size of what is in the bucket."""
    with stored(lab) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=lab["s3_bucket"], Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def messages(lab: Lab, since: int = 0) -> list[dict[str, Any]]:
    """What people were told: mails and webhooks in the lab's sink."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{lab['sink_url']}/messages?since={since}", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return [item for item in found if item["kind"] in ("mail", "webhook")]


def newest_message(lab: Lab) -> int:
    return max((item["id"] for item in messages(lab)), default=0)


def told(lab: Lab, since: int, words: str) -> dict[str, int]:
    """How many mails and webhooks since then speak of something."""
    found = {"mail": 0, "webhook": 0}
    for item in messages(lab, since):
        text = item["subject"] + item["body"] if item["kind"] == "mail" else json.dumps(item["json"], ensure_ascii=False)
        found[item["kind"]] += words in text
    return found


# A daily backup


def runs_by_itself(lab: Lab) -> Evidence:
    """The timer is there, what it starts succeeds, both repositories have one more, and all of it is encrypted."""
    idle(lab)
    db = lab.the("db")
    timer = dict(line.split("=", 1) for line in lab.ssh(db, "systemctl show signupflow-backup.timer").splitlines() if "=" in line)
    assert timer["ActiveState"] == "active", timer
    assert timer["UnitFileState"] == "enabled", timer
    assert timer["Persistent"] == "yes", "a run that was missed is caught up"
    left = int(timer["NextElapseUSecRealtime"].split()[0]) if timer["NextElapseUSecRealtime"].isdigit() else None
    before, began = listed(lab), time.time()
    must(on_host(lab, "systemctl start signupflow-backup.service"))
    after, now = listed(lab), metrics(lab)
    new = [copy for copy in after["backups"] if copy["label"] not in [known["label"] for known in before["backups"]]]
    assert sorted(copy["repository"] for copy in new) == [1, 2], new
    assert now["signupflow_backup_success_timestamp_seconds"] >= int(began), now
    assert now["signupflow_backup_size_bytes"] > 0, now
    # An operator needs no more than systemd: what, how large, how long, and that it was read back.
    status = on_host(lab, "systemctl status signupflow-backup.service").said
    assert "backed up and read back" in status, status
    return {
        "next": timer["NextElapseUSecRealtime"] if left is None else left,
        "new": new,
        "metrics": now,
        "encrypted": encrypted(lab),
    }


# How a file begins that OpenSSL or age has encrypted.
CIPHERS = (b"Salted__", b"age-encryption.org/v1")


def encrypted(lab: Lab) -> Evidence:
    """Every object of the bucket, and every file on the host's disk, begins as encrypted ones do."""
    keys = [key for key in objects(lab) if not key.endswith(".sha256")]
    assert keys
    clear = []
    with stored(lab) as client:
        for key in keys:
            head = client.get_object(Bucket=lab["s3_bucket"], Key=key, Range="bytes=0-31")["Body"].read()
            if not head.startswith(CIPHERS):
                clear.append(key)
    assert not clear, clear
    heads = 'find /var/lib/signupflow/backup-repository -type f | while read -r f; do echo "$(head -c 8 "$f") $f"; done'
    lines = on_host(lab, "sh -s", stdin=heads).said.splitlines()
    assert lines
    assert all(line.startswith("Salted__ ") for line in lines), [line for line in lines if not line.startswith("Salted__ ")][:3]
    return {"objects": len(keys), "files": len(lines), "in_clear": 0}


# To a second


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
        deadline, wanted = time.monotonic() + seconds, len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, "nothing is acknowledged any more"
            time.sleep(0.05)

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


# Faults: each has its exit code and an alert, writes no success, and expires nothing


@contextmanager
def files_replaced(lab: Lab, changes: Mapping[str, Callable[[str], str]]) -> Iterator[None]:
    """Files on the host with another content, and as they were afterwards; in place, because they are mounted."""
    before = {path: on_host(lab, f"cat {path}").said for path in changes}
    try:
        for path, change in changes.items():
            must(on_host(lab, f"tee {path}", stdin=change(before[path])))
        yield
    finally:
        for path, text in before.items():
            must(on_host(lab, f"tee {path}", stdin=text))


PGBACKREST = "/etc/signupflow/secrets/backup/pgbackrest.conf"
KEY = "/etc/signupflow/secrets/backup/s3_secret_key"
SETTINGS = "/etc/signupflow/backup/backup.json"


@contextmanager
def store_unreachable(lab: Lab) -> Iterator[None]:
    """Packets to the object storage are refused, from the host and from its containers."""
    address = lab["s3_endpoint_address"].split("//")[1].split(":")[0]
    table = (
        f"table inet proof {{ chain c {{ type filter hook prerouting priority -200; ip daddr {address} tcp dport 8333 drop; }} }}"
    )
    must(on_host(lab, "nft -f -", stdin=table))
    try:
        yield
    finally:
        must(on_host(lab, "nft delete table inet proof"))


@contextmanager
def wrong_keys(lab: Lab) -> Iterator[None]:
    with files_replaced(lab, {KEY: lambda text: "x" * len(text.strip()) + "\n"}):
        yield


@contextmanager
def no_bucket(lab: Lab) -> Iterator[None]:
    name = lab["s3_bucket"]
    with files_replaced(lab, {SETTINGS: lambda text: text.replace(f'"bucket": "{name}"', '"bucket": "no-such-bucket"')}):
        yield


@contextmanager
def wrong_passphrase(lab: Lab) -> Iterator[None]:
    def change(text: str) -> str:
        return "\n".join(f"{line}x" if "cipher-pass=" in line else line for line in text.splitlines()) + "\n"

    with files_replaced(lab, {PGBACKREST: change}):
        yield


@contextmanager
def no_settings(lab: Lab) -> Iterator[None]:
    with files_replaced(lab, {SETTINGS: lambda text: "{"}):
        yield


@contextmanager
def container_gone(lab: Lab) -> Iterator[None]:
    """PostgreSQL's container is stopped: whatever the reason, there is nothing to run pgBackRest in."""
    must(on_host(lab, "docker stop signupflow-postgres"))
    try:
        yield
    finally:
        must(on_host(lab, "docker start signupflow-postgres"))
        lab.wait_for_health(lab["domains"][0], seconds=60)


@contextmanager
def server_down(lab: Lab) -> Iterator[None]:
    """The container runs, and its server answers nobody."""
    socket = "/var/run/postgresql/.s.PGSQL.5432"
    must(on_host(lab, f"docker exec signupflow-postgres mv {socket} {socket}.away"))
    try:
        yield
    finally:
        must(on_host(lab, f"docker exec signupflow-postgres mv {socket}.away {socket}"))


@contextmanager
def disk_full(lab: Lab) -> Iterator[None]:
    """A small disk where the repository of the host lies."""
    path = "/var/lib/signupflow/backup-repository"
    must(on_host(lab, f"mount -t tmpfs -o size=8m,mode=0700,uid=999,gid=999 tmpfs {path}"))
    try:
        yield
    finally:
        must(on_host(lab, f"umount {path}"))


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: how, and what a backup must then end with."""

    name: str
    make: Callable[[Lab], Any]
    code: int
    says: str
    # Alerts of the same moment that have reasons of their own, such as a database that does not answer.
    alert: str = "backup-failed"


FAULTS = (
    Fault("object store unreachable", store_unreachable, 3, "cannot be reached"),
    Fault("credentials wrong", wrong_keys, 6, "keys may not"),
    Fault("bucket missing", no_bucket, 6, "no such bucket"),
    Fault("wrong passphrase", wrong_passphrase, 6, "passphrase"),
    Fault("disk full", disk_full, 5, "free or add disk"),
    Fault("settings broken", no_settings, 6, "run deploys/production.py again", "unwatched"),
    Fault("PostgreSQL down", server_down, 1, "does not answer"),
    Fault("container gone", container_gone, 1, "does not run"),
)


def faulty(lab: Lab, fault: Fault) -> Evidence:
    """One fault: the exit code, an alert in mail and webhook, once; no success, nothing expired; then over, once."""
    idle(lab)
    must(on_host(lab, "signupflow-backup watch"))
    good, kept, since = metrics(lab), set(_labels(lab)), newest_message(lab)
    with fault.make(lab):
        done = on_host(lab, "signupflow-backup run")
        assert done.code == fault.code, (fault.name, done)
        assert fault.says in done.error, (fault.name, done.error)
        assert "Traceback" not in done.said, done.said
        # What systemd does when a run has failed, twice: people hear of it once.
        for _ in range(2):
            on_host(lab, "systemctl start signupflow-backup-watch.service")
        if fault.alert == "unwatched":
            wait_for(lambda: sum(told(lab, since, "nobody watches over the backups").values()) > 0, "the last resort's alert")
    begun = told(lab, since, "nobody watches" if fault.alert == "unwatched" else f"ALERT {fault.alert}")
    assert begun == {"mail": 1, "webhook": 1}, (fault.name, begun)
    assert metrics(lab) == good, "a failure was counted as a success"
    assert kept <= set(_labels(lab)), "something was expired"
    must(on_host(lab, "signupflow-backup run"))
    must(on_host(lab, "signupflow-backup watch"))
    over = told(lab, since, f"over: {fault.alert}")
    assert over == {"mail": 1, "webhook": 1}, (fault.name, over)
    return {"exit": done.code, "said": done.error, "alert": begun, "over": over}


def wait_for(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


def _labels(lab: Lab) -> list[str]:
    return [f"{copy['repository']}/{copy['label']}" for copy in listed(lab)["backups"]]


# Retention and dumps


def old_dumps_go(lab: Lab) -> Evidence:
    """Dumps beyond their time go once a newer one is proven; the others stay."""
    idle(lab)
    now = datetime.now(UTC)

    def key(kind: str, days: float) -> str:
        return f"dumps/lab/{kind}/{now - timedelta(days=days):%Y%m%dT%H%M%SZ}.dump.age"

    goes = [key("weekly", 91), key("weekly", 200)]
    stays = [key("weekly", 89), key("weekly", 8), key("monthly", 364)]
    with stored(lab) as client:
        for name in (*goes, *stays):
            client.put_object(Bucket=lab["s3_bucket"], Key=name, Body=b"age-encryption.org/v1 planted by a test")
            client.put_object(Bucket=lab["s3_bucket"], Key=f"{name}.sha256", Body=b"planted by a test")
    must(on_host(lab, "signupflow-backup dump weekly"))
    left = objects(lab, "dumps/")
    assert not [name for name in goes if name in left or f"{name}.sha256" in left], left
    assert all(name in left for name in stays), left
    with stored(lab) as client:
        for name in stays:
            for each in (name, f"{name}.sha256"):
                client.delete_object(Bucket=lab["s3_bucket"], Key=each)
    return {"expired": goes, "kept": stays}


# The drill


def drilled(lab: Lab) -> Evidence:
    """The newest backup becomes an instance that has the live rows; nothing of it is left behind."""
    idle(lab)
    must(on_host(lab, "systemctl start signupflow-restore-drill.service"))
    report: dict[str, Any] = json.loads(on_host(lab, f"cat {STATE}/drill-report.json").said)
    live = int(
        sql(lab, "select count(*) from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'")
    )
    assert report["tables"] == live, report
    left = on_host(lab, "sh -c 'ls /var/lib/signupflow/postgres; docker ps -a --format {{.Names}}'").said
    assert "scratch-" not in left, left
    return report


# A copy for staging


def sanitised(lab: Lab) -> Evidence:
    """What is personal in production is not in the copy; it is in a plain dump of the same database (the control)."""
    idle(lab)
    for _ in range(2):
        tenants.organisation(lab)
    personal = people(lab)
    assert len(personal) >= 4, personal
    done = on_host(lab, "sh -c 'signupflow-restore sanitised --password-stdin > /root/copy.dump'", stdin="staging-sign-in-7391\n")
    assert done.code == 0, done.said[-2000:]
    copy = on_host(lab, "sh -c 'docker exec -i signupflow-postgres pg_restore -f - < /root/copy.dump'").said
    plain = on_host(lab, "docker exec -u postgres signupflow-postgres pg_dump -d signupflow").said
    must(on_host(lab, "rm -f /root/copy.dump"))
    found = [value for value in personal if value in copy]
    control = [value for value in personal if value in plain]
    assert len(control) == len(personal), "the search does not find what is there"
    assert not found, found[:5]
    assert "@staging.invalid" in copy
    assert "staging-sign-in-7391" not in copy, "the password itself"
    return {"personal_values": len(personal), "found_in_the_copy": 0, "found_without_sanitising": len(control)}


def people(lab: Lab) -> list[str]:
    """Names, mail addresses and ids of everybody in the database, as a dump writes them."""
    rows = sql(lab, "select id from people union select name from people union select email from people where email is not null")
    # Shorter ones would be found in anything.
    return sorted(row for row in rows.splitlines() if len(row) > 5)


# The loss of everything

# archive_timeout, and the seconds that an upload takes.
ARCHIVE_SECONDS = 60


def lost_and_rebuilt(lab: Lab, seconds_of_writes: float = 130) -> Evidence:
    """The host is destroyed under steady writes and rebuilt from the object storage: what is lost, and times in parts."""
    idle(lab)
    if not listed(lab)["backups"]:
        must(backup(lab))
    parts: dict[str, float] = {}

    def part(name: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        result = work()
        parts[name] = round(time.monotonic() - began, 1)
        return result

    host = lab.the("db")
    with Writer(lab) as writer:
        if seconds_of_writes < ARCHIVE_SECONDS:
            # Too short for a segment to be closed by itself.
            sql(lab, "select pg_switch_wal()")
        time.sleep(seconds_of_writes)
        _lab(lab, "lose", host)
        acknowledged = list(writer.acknowledged)
    began = time.monotonic()
    part("an empty host", lambda: _lab(lab, "up"))
    part("bootstrap", lambda: lab.pyinfra("-y", "--user", "root", *lab.not_bootstrapped(), deploy="deploys/bootstrap.py"))
    dry = lab.pyinfra("--dry", deploy="deploys/disaster_recovery.py")
    assert "Cluster as of the last archived change" in dry.stdout + dry.stderr
    part("disaster_recovery", lambda: lab.pyinfra("-y", deploy="deploys/disaster_recovery.py"))
    part("healthy over HTTPS", lambda: lab.wait_for_health(lab["domains"][0], seconds=90))
    total = time.monotonic() - began
    kept = [int(line) for line in sql(lab, f"select n from {writer.table} order by n").splitlines()]
    times = dict(acknowledged)
    last_kept = max((number for number in kept if number in times), default=None)
    assert last_kept is not None, "nothing that was acknowledged is there"
    # Whatever was acknowledged before the last kept row is there as well: no hole.
    assert set(times) & set(range(last_kept)) <= set(kept)
    gap = acknowledged[-1][1] - times[last_kept]
    assert gap < 60, f"the last {gap:.0f} s are lost"
    sql(lab, f"drop table {writer.table}")
    idle(lab)
    return {
        "acknowledged": len(acknowledged),
        "last_acknowledged": acknowledged[-1][0],
        "last_kept": last_kept,
        "seconds_lost": round(gap, 1),
        "seconds": parts,
        "seconds_in_all": round(total, 1),
        "backups_after": len(listed(lab)["backups"]),
    }


def _lab(lab: Lab, verb: str, *words: str) -> None:
    command = [sys.executable, "-m", "lab", verb, "--name", lab["name"], *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
