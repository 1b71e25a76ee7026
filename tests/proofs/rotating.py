"""Every kind of secret replaced under load, by its one command: nothing fails, and the old one is refused afterwards."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploys.postgres.roles import database_url
from lab import engine
from lab.client import POLITELY, ROOT, Lab
from lab.waiting import wait_for
from signupflow import rotation
from signupflow.errors import OperatorError
from signupflow.secretfile import Secrets, decrypt, identity
from tests import releases
from tests.proofs.healing import wait_until_whole
from tests.proofs.leaks import planted
from tests.proofs.operating import RATE
from tests.proofs.releasing import QUICK, Evidence, app_hosts, baseline, container_ids, one_generation, options, records
from tests.tenants import organisation
from tests.traffic import Traffic, lost_writes

KINDS = ("database", "jwt", "ssh-key", "age-key", "object-store")
CONNECT = "import sys, psycopg2; psycopg2.connect(sys.stdin.read().strip()).close()"


def each_under_load(lab: Lab, rate: float = RATE, kinds: Sequence[str] = KINDS, turns: int = 2) -> Evidence:
    """The rotations, one after another, each under its own traffic; with two `turns` both database roles have theirs."""
    baseline(lab, releases.image("good", 1))
    proofs: dict[str, Callable[[], Evidence]] = {
        "database": lambda: _database(lab, rate, turns),
        "jwt": lambda: _jwt(lab, rate),
        "ssh-key": lambda: _ssh_key(lab, rate),
        "age-key": lambda: _age_key(lab),
        "object-store": lambda: _object_store(lab),
    }
    evidence: Evidence = {"rate": rate} | {kind: proofs[kind]() for kind in kinds}
    one_generation(lab)
    return evidence


def rotate(lab: Lab, *words: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator types it, with `variables` in the environment."""
    command = [*POLITELY, sys.executable, "-m", "signupflow", "rotate", *words, "-y", "--inventory", lab["inventory"]]
    done = subprocess.run(
        [*command, *options(**QUICK)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done


@contextmanager
def loaded(lab: Lab, rate: float, evidence: dict[str, Any], tokens: tuple[str, ...] = ()) -> Iterator[Traffic]:
    """Traffic around a rotation, of which nothing may fail and nothing that was acknowledged be lost."""
    started = time.monotonic()
    with Traffic(lab, rate=rate, faults=True, tokens=tokens) as traffic:
        yield traffic
        evidence["seconds"] = round(time.monotonic() - started, 1)
        wait_until_whole(lab)
    report = traffic.report
    evidence |= {"sent": report.sent, "failed": report.failed, "lost_writes": len(lost_writes(lab, report))}
    assert report.failed == 0, (evidence, [str(item) for item in report.failures[:5]])
    assert not evidence["lost_writes"], evidence


def connects(lab: Lab, url: str) -> str:
    """What PostgreSQL says to this URL, asked from a replica; empty when it lets it in."""
    name = app_hosts(lab)[0]
    container = container_ids(lab, name)[0]
    command = f"sudo docker exec -i {container} python -c '{CONNECT}'"
    done = subprocess.run([*lab.ssh_command(name), command], input=url, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def _database(lab: Lab, rate: float, turns: int) -> Evidence:
    """The other role takes over; the password of the one before is refused."""
    rows = []
    for _ in range(turns):
        before = Secrets(planted(lab))
        role, _ = rotation.app_roles(before)
        old = database_url("signupflow", role, before)
        assert connects(lab, old) == "", "the control: the old password works before"
        row: dict[str, Any] = {"from": role}
        with loaded(lab, rate, row):
            rotate(lab, "database")
        row |= {"to": rotation.app_roles(planted(lab))[0], "old_is_told": connects(lab, old)}
        assert "not permitted to log in" in row["old_is_told"] or "authentication failed" in row["old_is_told"], row
        assert row["to"] != role, row
        rows.append(row)
    assert [record.kind for record in records(lab)[-1:]] == ["rotation"], records(lab)[-1]
    return {"turns": rows}


def _jwt(lab: Lab, rate: float) -> Evidence:
    """Tokens of the old key are good until the last step; then they are refused, and those of the new one are not."""
    _, old = organisation(lab)
    asking = (lab["domains"][0], "/api/v1/events", "GET", None)
    evidence: Evidence = {"announced and signing": {}, "forgotten": {}}
    with loaded(lab, rate, evidence["announced and signing"]):
        said = rotate(lab, "jwt").stdout
    _, new = organisation(lab)
    evidence["told_to_come_back"] = re.search("run `signupflow (-i \\S+ )?rotate jwt` again after", said) is not None
    evidence["old_token_meanwhile"] = lab.https(*asking, token=old).status
    with loaded(lab, rate, evidence["forgotten"]):
        rotate(lab, "jwt", "--now")
    evidence |= {"old_token": lab.https(*asking, token=old).status, "new_token": lab.https(*asking, token=new).status}
    assert evidence["told_to_come_back"], said
    assert (evidence["old_token_meanwhile"], evidence["old_token"], evidence["new_token"]) == (200, 401, 200), evidence
    return evidence


def _ssh_key(lab: Lab, rate: float) -> Evidence:
    """The old private key opens no host; the inventory holds the new public one, and a run changes nothing."""
    evidence: Evidence = {}
    with loaded(lab, rate, evidence):
        rotate(lab, "ssh-key")
    old = f"{lab['ssh_key']}.old"
    answers = {}
    for item in lab["hosts"]:
        if not item["roles"]:
            continue
        command = [old if word == lab["ssh_key"] else word for word in lab.ssh_command(item["name"])]
        done = subprocess.run(
            [*command[:1], "-o", "IdentitiesOnly=yes", *command[1:], "true"], capture_output=True, text=True, check=False
        )
        answers[item["name"]] = done.stderr.strip().rpartition(": ")[2] if done.returncode else "let in"
        assert lab.deploy_login_works(item["name"]), item
    evidence["old_key_is_told"] = answers
    done = lab.pyinfra("-y", "--json", deploy="deploys/logins.py")
    evidence["changed_by_a_further_run"] = [
        row["name"] for row in json.loads(done.stdout)["results"]["operations"] if row["success"] and "Login" in row["name"]
    ]
    assert all("Permission denied" in said for said in answers.values()), evidence
    assert not evidence["changed_by_a_further_run"], evidence
    return evidence


def _age_key(lab: Lab) -> Evidence:
    """The old key opens nothing new; what it has seen is listed with how each is changed; the values are as before."""
    before = planted(lab)
    kept = Path(lab["secrets_file"] + ".kept")
    shutil.copy(lab["secrets_file"], kept)
    said = rotate(lab, "age-key").stdout
    old = identity("lab", lab["age_key_file"] + ".old")
    try:
        decrypt(Path(lab["secrets_file"]), old)
        told = ""
    except OperatorError as error:
        told = str(error).partition(";")[0]
    listed = [line.split()[0] for line in said.splitlines() if line.startswith("  ")]
    evidence = {"old_key_is_told": told, "to_change": listed, "same_values": planted(lab) == before}
    assert decrypt(kept, old) == before, "the control: the old key opens what was written for it"
    kept.unlink()
    assert "cannot open" in told, evidence
    assert {"jwt_keys", "postgres_app_password", "digest_key"} <= set(listed), evidence
    assert evidence["same_values"], evidence
    return evidence


def _object_store(lab: Lab) -> Evidence:
    """Wrong keys are not taken; new ones are; the old ones are forgotten when the server has revoked them, and not before."""
    where = ("--data", f"s3_endpoint={lab['s3_endpoint_address']}")
    old = {"s3_access_key": lab["s3_access_key"], "s3_secret_key": lab["s3_secret_key"]}
    new = {"s3_access_key": f"LAB{secrets.token_hex(8).upper()}", "s3_secret_key": secrets.token_urlsafe(30)}
    files = ["--file", lab["secrets_file"], "--key", lab["age_key_file"]]
    for name, value in old.items():
        command = [sys.executable, "scripts/secrets.py", "set", "lab", name, *files]
        subprocess.run(command, cwd=ROOT, input=value, text=True, check=True, capture_output=True)
    by = {name.upper(): value for name, value in new.items()}
    unknown = rotate(lab, "object-store", *where, check=False, **by)
    evidence: Evidence = {"keys_that_the_store_does_not_know": _last_line(unknown)}
    with accepting(lab, [old, new]):
        rotate(lab, "object-store", *where, check=True, **by)
        early = rotate(lab, "object-store", *where, check=False)
        evidence["while_both_are_accepted"] = _last_line(early)
    with accepting(lab, [new]):
        rotate(lab, "object-store", *where)
        evidence["kept_at_the_end"] = sorted(name for name in planted(lab) if name.startswith("s3_"))
        evidence["the_new_keys_are_kept"] = {name: planted(lab)[name] for name in new} == new
    assert unknown.returncode == 2, evidence
    assert "the new keys do not work" in evidence["keys_that_the_store_does_not_know"], evidence
    assert early.returncode == 2, evidence
    assert "still open the bucket" in evidence["while_both_are_accepted"], evidence
    assert evidence["kept_at_the_end"] == ["s3_access_key", "s3_secret_key"], evidence
    assert evidence["the_new_keys_are_kept"], evidence
    return evidence


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return next((line for line in done.stderr.splitlines() if line.startswith("Error:")), done.stderr[-300:])


@contextmanager
def accepting(lab: Lab, keys: list[dict[str, str]]) -> Iterator[None]:
    """The lab's object store with these keys; afterwards with its own again."""
    path = Path(lab["ssh_key"]).with_name("s3") / "s3.json"
    before = path.read_text()
    config = json.loads(before)
    config["identities"][0]["credentials"] = [
        {"accessKey": pair["s3_access_key"], "secretKey": pair["s3_secret_key"]} for pair in keys
    ]
    try:
        path.write_text(json.dumps(config))
        _restarted_store(lab)
        yield
    finally:
        path.write_text(before)
        _restarted_store(lab)


def _restarted_store(lab: Lab) -> None:
    engine.docker("restart", "--time", "5", f"signupflow-{lab['name']}-s3")
    wait_for(lambda: _answers(lab["s3_endpoint_address"]), 60, "the object store did not come back")


def _answers(url: str) -> bool:
    """Whether anything is said over TLS: refusing whoever has no key is an answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=2, context=context):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
