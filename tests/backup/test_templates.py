"""What the deploys write on the database's host: scripts that shellcheck has nothing against, pgBackRest's configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backup.configuration import app_image
from deploys.backups.configuration import TEMPLATES, pgbackrest_conf, secret_values
from signupflow.render import template
from signupflow.secretfile import Secrets
from signupflow.settings import from_data
from tests.proofs.configuration import DEPLOY_EXAMPLE

RECIPIENT = "age1sv7uqvaz90al2n5mn6hnun9s4sdz3dakgf7dhtwuag29egyp0ffsag7ehy"
PHRASE = "MARKER of a test, 0001"
SECRETS = Secrets({
    "backup_passphrase": PHRASE,
    "s3_access_key": "MARKER-access-0000001",
    "s3_secret_key": "MARKER-secret-0000001",
    "azure_key": "MARKER-azure-00000001",
})  # fmt: skip
S3 = {"s3_endpoint": "https://s3.helpers.org:8333", "s3_bucket": "backups", "backup_recipients": [RECIPIENT]}
MAIL = {"notify_mail_to": ["a@helpers.org", "b@helpers.org"], "smtp_host": "mail.helpers.org"}
PLACES = {"configuration": "/c", "secrets": "/s", "state": "/t", "repository": "/r", "data": "/d"}


def environment(**data: Any) -> Any:
    return from_data({**DEPLOY_EXAMPLE, **data}, "here")


@pytest.mark.parametrize("more", [{}, MAIL, {**MAIL, "smtp_starttls": True}], ids=["no mail", "mail", "mail by TLS"])
def test_us6_4_the_scripts_are_sound(tmp_path: Path, more: dict[str, Any]) -> None:
    env = environment(**S3, **more)
    texts = {
        "command": template(TEMPLATES / "command.sh.j2", image="i", module="m", schema="/o", **PLACES),
        "unwatched": template(TEMPLATES / "unwatched.sh.j2", env=env, host="h1", **PLACES),
    }
    for name, text in texts.items():
        assert text.startswith("#!/bin/sh\n"), "systemd and a shell start it by its first line"
        (tmp_path / name).write_text(text)
    command = [str(Path(sys.executable).with_name("shellcheck")), *(str(tmp_path / name) for name in texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_sec003_both_repositories_are_encrypted_and_wal_is_never_thrown_away() -> None:
    text = pgbackrest_conf(environment(**S3, profile="staging"), SECRETS)
    options = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert options["repo1-cipher-type"] == options["repo2-cipher-type"] == "aes-256-cbc"
    assert options["repo1-cipher-pass"] == options["repo2-cipher-pass"] == PHRASE
    assert options["repo1-s3-endpoint"] == "s3.helpers.org"
    assert options["repo1-storage-port"] == "8333"
    # FR-007, and SPEC.md: staging keeps 7 days; seven on the host's disk.
    assert (options["repo1-retention-full-type"], options["repo1-retention-full"]) == ("time", "7")
    assert (options["repo2-retention-full-type"], options["repo2-retention-full"]) == ("count", "7")
    assert "archive-push-queue-max" not in options


def test_fr007_another_store_is_said_in_pgbackrests_words() -> None:
    env = environment(
        backup_repository={"type": "azure", "azure-account": "helpers", "azure-container": "backups"},
        backup_repository_secrets={"azure-key": "azure_key"},
    )
    text = pgbackrest_conf(env, SECRETS)
    for line in ("repo1-type=azure", "repo1-azure-account=helpers", "repo1-azure-key=MARKER-azure-00000001"):
        assert line in text.splitlines()
    assert "s3_access_key" not in secret_values(env, SECRETS)


def test_ec4_the_image_that_serves_is_read_from_the_schema_steps_compose_file(tmp_path: Path) -> None:
    env = environment(**S3, app_secrets={}, app_migration_command=["alembic", "upgrade", "head"])
    words = {"env": env, "image": "signupflow/app:id-0a1b", "secrets": "/s", "command": ['"a"'], "rehearsal": "R"}
    for smoke in ([], ['"b"']):
        text = template(TEMPLATES.parent.parent / "schema" / "templates" / "compose.yaml.j2", smoke=smoke, **words)
        (tmp_path / "compose.yaml").write_text(text)
        assert app_image(tmp_path / "compose.yaml") == "signupflow/app:id-0a1b"
    assert app_image(tmp_path / "none.yaml") == ""
