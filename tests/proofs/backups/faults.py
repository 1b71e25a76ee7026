"""What goes wrong with a backup: each has its exit code and one alert, writes no success, and expires nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.client import Lab
from lab.waiting import wait_for
from tests.proofs.backups.host import (
    Evidence,
    idle,
    labels,
    listed,
    metrics,
    must,
    newest_message,
    objects,
    on_host,
    sql,
    stored,
    told,
)


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
    """Packets of the host's containers to the object storage are dropped: nobody answers, nobody refuses."""
    address = lab["s3_endpoint_address"].split("//")[1].split(":")[0]
    chain = f"type filter hook prerouting priority -200; ip daddr {address} tcp dport 8333 drop"
    table = f"table inet proof {{\n  chain dropped {{\n    {chain}\n  }}\n}}\n"
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


@contextmanager
def object_changed(lab: Lab, key: str, change: Callable[[bytes], bytes | None]) -> Iterator[None]:
    """An object of the bucket with other bytes, or without any; as it was afterwards."""
    with stored(lab) as client:
        before = client.get_object(Bucket=lab["s3_bucket"], Key=key)["Body"].read()
        after = change(before)
        if after is None:
            client.delete_object(Bucket=lab["s3_bucket"], Key=key)
        else:
            client.put_object(Bucket=lab["s3_bucket"], Key=key, Body=after)
        try:
            yield
        finally:
            client.put_object(Bucket=lab["s3_bucket"], Key=key, Body=before)


def largest_of_newest(lab: Lab) -> str:
    """The largest object of the newest backup in the bucket: files of the database."""
    label = [copy["label"] for copy in listed(lab)["backups"] if copy["repository"] == 1][-1]
    held = {key: size for key, size in objects(lab, f"lab/backup/signupflow/{label}/").items() if "backup.manifest" not in key}
    return max(held, key=lambda key: held[key])


def altered(lab: Lab) -> Any:
    def change(data: bytes) -> bytes:
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    return object_changed(lab, largest_of_newest(lab), change)


def truncated(lab: Lab) -> Any:
    return object_changed(lab, largest_of_newest(lab), lambda data: data[: len(data) // 2])


def missing(lab: Lab) -> Any:
    return object_changed(lab, largest_of_newest(lab), lambda data: None)


@contextmanager
def segment_missing(lab: Lab) -> Iterator[str]:
    """Somebody deletes a WAL segment that came after the newest backup, and another comes after it; gives its name."""
    before = set(objects(lab, "lab/archive/"))
    for _ in range(3):
        sql(lab, "create table if not exists proof_wal (n int); insert into proof_wal values (1)")
        sql(lab, "select pg_switch_wal()")
    wait_for(lambda: len(set(objects(lab, "lab/archive/")) - before) >= 3, 60, "three segments are archived", every=0.3)
    new = sorted(key for key in set(objects(lab, "lab/archive/")) - before if ".backup" not in key)
    with object_changed(lab, new[1], lambda data: None):
        yield new[1].rpartition("/")[2].partition("-")[0]
    sql(lab, "drop table proof_wal")


# Debian's package of that name, on this machine; its functions stand before the C library's.
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def faketime() -> Path:
    """The library, installed when it is not there."""
    if not FAKETIME.exists():
        subprocess.run(["apt-get", "-q", "install", "-y", "libfaketime"], check=True, capture_output=True)
    return FAKETIME


@contextmanager
def clock_off(lab: Lab) -> Iterator[None]:
    """The commands live in a host whose clock is an hour ahead (the machine's own is not ours to set)."""
    argv = [*lab.ssh_command(lab.the("db")), "sudo tee /root/faketime.so >/dev/null"]
    subprocess.run(argv, input=faketime().read_bytes(), check=True)
    options = "docker run --rm --volume /root/faketime.so:/faketime.so:ro --env LD_PRELOAD=/faketime.so --env FAKETIME=+1h"
    with files_replaced(lab, {"/usr/local/bin/signupflow-backup": lambda text: text.replace("docker run --rm", options)}):
        yield


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: how, and what a backup must then end with."""

    name: str
    make: Callable[[Lab], Any]
    code: int
    says: str
    alert: str = "backup-failed"
    # The command that finds it.
    command: str = "run"


FAULTS = (
    Fault("object store unreachable", store_unreachable, 3, "cannot be reached"),
    Fault("credentials wrong", wrong_keys, 6, "keys may not"),
    Fault("bucket missing", no_bucket, 6, "no such bucket"),
    Fault("wrong passphrase", wrong_passphrase, 6, "passphrase"),
    Fault("disk full", disk_full, 5, "free or add disk"),
    Fault("settings broken", no_settings, 6, "run deploys/production.py again", "unwatched"),
    Fault("PostgreSQL down", server_down, 1, "does not answer"),
    Fault("container gone", container_gone, 1, "does not run"),
    Fault("clock an hour off", clock_off, 3, "clock of this host"),
    Fault("WAL segment missing", segment_missing, 4, "WAL is missing between"),
    Fault("object altered", altered, 4, "is not what was written", "drill-failed", "drill"),
    Fault("object truncated", truncated, 4, "is not what was written", "drill-failed", "drill"),
    Fault("object missing", missing, 4, "is not what was written", "drill-failed", "drill"),
)


def faulty(lab: Lab, fault: Fault) -> Evidence:
    """One fault: the exit code, an alert in mail and webhook, once; no success, nothing expired; then over, once."""
    idle(lab)
    must(on_host(lab, "signupflow-backup watch"))
    good, kept, since = metrics(lab), labels(lab), newest_message(lab)
    with fault.make(lab):
        done = on_host(lab, f"signupflow-backup {fault.command}")
        assert done.code == fault.code, (fault.name, done)
        assert fault.says in done.error, (fault.name, done.error)
        assert "Traceback" not in done.said, done.said
        # What systemd does when a run has failed, twice: people hear of it once.
        for _ in range(2):
            on_host(lab, "systemctl start signupflow-backup-watch.service")
        if fault.alert == "unwatched":
            alert = "nobody watches over the backups"
            wait_for(lambda: sum(told(lab, since, alert).values()) > 0, 60, "the last resort's alert", every=0.3)
    begun = told(lab, since, "nobody watches" if fault.alert == "unwatched" else f"ALERT {fault.alert}")
    assert begun == {"mail": 1, "webhook": 1}, (fault.name, begun)
    assert metrics(lab) == good, "a failure was counted as a success"
    assert kept <= labels(lab), "something was expired"
    must(on_host(lab, f"signupflow-backup {fault.command}"))
    must(on_host(lab, "signupflow-backup watch"))
    over = told(lab, since, f"over: {fault.alert}")
    assert over == {"mail": 1, "webhook": 1}, (fault.name, over)
    return {"exit": done.code, "said": done.error, "alert": begun, "over": over}
