"""Retention over 400 days, by pgBackRest itself with the configuration that hosts get: its clock and PostgreSQL's are moved."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploys.backups.configuration import pgbackrest_conf
from signupflow.engine_client import docker_client
from signupflow.secretfile import Secrets
from signupflow.settings import from_data
from signupflow.settings.backups import PASSPHRASE
from tests.proofs.backups.faults import faketime
from tests.proofs.backups.host import Evidence
from tests.proofs.configuration import DEPLOY_EXAMPLE

NAME = "signupflow-proof-retention"
IMAGE = "signupflow/postgres:17"
FIRST = datetime(2025, 1, 1, 2, 30, tzinfo=UTC)
DAYS, LOCAL = 30, 7
FAKED = "LD_PRELOAD=/faketime.so"


def played(days: int = 400) -> Evidence:
    """A full backup each day in both repositories, then what expires; each day exactly what the contract keeps is there."""
    most = {1: 0, 2: 0}
    with instance() as run:
        for day in range(days):
            now = FIRST + timedelta(days=day)
            moved(run, now)
            for repository in (1, 2):
                run(f"pgbackrest --repo={repository} --type=full --no-expire-auto --log-level-console=warn backup")
            # Clearly after the backup: each process starts its clock anew, and thirty days are counted by the second.
            moved(run, now + timedelta(hours=1))
            for repository in (1, 2):
                run(f"pgbackrest --repo={repository} --log-level-console=warn expire")
            noon = now + timedelta(hours=12)
            ages = {repository: sorted((noon - at).days for at in ended) for repository, ended in stored(run).items()}
            # All of the last thirty days, and the one before them from which their first second can be reached.
            assert ages[1] == list(range(min(day, DAYS) + 1)), (day, ages[1])
            assert ages[2] == list(range(min(day, LOCAL - 1) + 1)), (day, ages[2])
            most = {repository: max(most[repository], len(ages[repository])) for repository in most}
    return {"days": days, "kept_in_object_storage_at_most": most[1], "kept_on_the_host_at_most": most[2]}


def moved(run: Any, to: datetime) -> None:
    """Whatever starts from now on has this time."""
    run(f"echo '@{to:%Y-%m-%d %H:%M:%S}' > /clock/now", user="root")


def stored(run: Any) -> dict[int, list[datetime]]:
    """When each backup of each repository ended."""
    (stanza,) = json.loads(run("pgbackrest info --output=json --log-level-console=error"))
    found: dict[int, list[datetime]] = {1: [], 2: []}
    for item in stanza["backup"]:
        found[item["database"]["repo-key"]].append(datetime.fromtimestamp(item["timestamp"]["stop"], UTC))
    return found


@contextmanager
def instance() -> Iterator[Any]:
    """A container of the image that hosts run, both repositories on its disk; yields a function that runs a command in it."""
    env = from_data(
        {**DEPLOY_EXAMPLE, "backup_repository": {"type": "posix"}, "backup_days": DAYS, "backup_local": LOCAL}, "here"
    )
    docker = docker_client()
    subprocess.run([docker, "rm", "--force", NAME], capture_output=True, check=False)
    with tempfile.TemporaryDirectory() as folder:
        # What a host mounts is a directory in a container here: both repositories lie beside each other.
        text = pgbackrest_conf(env, Secrets({PASSPHRASE: "of a proof"})).replace(
            "repo1-path=/sample", "repo1-path=/var/lib/pgbackrest-1"
        )
        (Path(folder) / "pgbackrest.conf").write_text(text)
        (Path(folder) / "pgbackrest.conf").chmod(0o644)
        Path(folder).chmod(0o755)
        flags = {
            "PGDATA": "/var/lib/postgresql/cluster",
            "POSTGRES_INITDB_ARGS": "--auth-local=peer",
            "PGBACKREST_CONFIG": "/run/backup/pgbackrest.conf",
            "PGBACKREST_STANZA": "signupflow",
            "FAKETIME_TIMESTAMP_FILE": "/clock/now",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        prepare = (
            "mkdir -p /clock /var/lib/pgbackrest-1 && chown postgres /var/lib/pgbackrest-1 /var/lib/pgbackrest"
            f" && echo '@{FIRST:%Y-%m-%d %H:%M:%S}' > /clock/now && chown -R postgres /var/lib/postgresql"
            # Not root's: the library shares a semaphore with whoever is started below.
            f" && exec setpriv --reuid=postgres --regid=postgres --clear-groups env {FAKED} signupflow-entrypoint postgres"
            " -c archive_mode=on -c archive_command='pgbackrest archive-push %p' -c fsync=off"
        )
        subprocess.run(
            [
                *(docker, "run", "--detach", "--name", NAME, "--network", "none", "--entrypoint", "sh"),
                *(word for name, value in flags.items() for word in ("--env", f"{name}={value}")),
                *("--volume", f"{folder}:/run/backup:ro", "--volume", f"{faketime()}:/faketime.so:ro", IMAGE, "-c", prepare),
            ],
            check=True,
            capture_output=True,
        )

        def run(command: str, user: str = "postgres") -> str:
            words = ["sh", "-c", command] if user == "root" else ["env", FAKED, "sh", "-c", command]
            argv = [docker, "exec", "--user", user, NAME, *words]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        try:
            run("for i in $(seq 100); do pg_isready -q -h 127.0.0.1 && exit 0; sleep 0.3; done; exit 1")
            run("pgbackrest --log-level-console=warn stanza-create")
            yield run
        finally:
            subprocess.run([docker, "rm", "--force", "--volumes", NAME], capture_output=True, check=False)
