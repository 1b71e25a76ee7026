"""The settings of backups: every malformed value is named, and what follows from the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyrage
import pytest

from signupflow.errors import OperatorError
from signupflow.settings import Environment, backups, from_data
from tests.proofs.configuration import DEPLOY_EXAMPLE

S3 = {"s3_endpoint": "https://s3.internal:8333", "s3_bucket": "signupflow-backups"}
AGE = str(pyrage.x25519.Identity.generate().to_public())


def made(**changes: Any) -> Environment:
    return from_data({**DEPLOY_EXAMPLE, **changes}, "db1")


def refused(**changes: Any) -> str:
    with pytest.raises(OperatorError) as caught:
        made(**changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("s3_endpoint", "http://s3.internal:8333"),
        ("s3_endpoint", "s3.internal"),
        ("s3_endpoint", "https://s3.internal/backups"),
        ("s3_endpoint", "https://ada@s3.internal"),
        ("s3_bucket", "Signupflow"),
        ("s3_bucket", "ab"),
        ("s3_bucket", "a" * 64),
        ("s3_bucket", "-backups"),
        ("s3_bucket", "backups/production"),
        ("s3_region", "US EAST 1"),
        ("s3_region", ""),
        ("s3_ca_file", "/nowhere/ca.pem"),
        ("backup_repository", {"Type": "azure"}),
        ("backup_repository", {"type": "azure\nrepo1-path=/"}),
        ("backup_repository_secrets", {"azure key": "azure_key"}),
        ("backup_calendar", "*-*-* 02:30:00"),
        ("backup_calendar", "02:30; rm -rf / UTC"),
        ("drill_calendar", "monthly\nOnBootSec=1 UTC"),
        ("backup_days", -1),
        ("backup_days", 3651),
        ("backup_local", 0),
        ("backup_local", 101),
        ("backup_recipients", ["age1tooshort"]),
        ("backup_recipients", [AGE, AGE.upper()]),
        ("backup_recipients", [f"{AGE[:-1]}b"]),  # b is no letter of bech32
        ("backup_processes", 0),
        ("backup_processes", 33),
    ],
)
def test_fr029_each_malformed_setting_of_backups_is_named(setting: str, value: Any) -> None:
    assert refused(**{setting: value}).startswith(f"settings of db1: 1 fault: {setting}")


def test_sec001_a_recipient_that_is_a_private_key_is_refused_and_not_shown() -> None:
    private = str(pyrage.x25519.Identity.generate())
    said = refused(backup_recipients=[private])
    assert "backup_recipients" in said
    assert private[16:] not in said


def test_fr029_all_faults_of_backups_are_named_at_once() -> None:
    said = refused(s3_bucket="UPPER", s3_region="", backup_days=-1)
    assert said.startswith("settings of db1: 3 faults: ")
    for setting in ("s3_bucket", "s3_region", "backup_days"):
        assert setting in said


def test_fr007_backups_go_to_one_store_that_is_whole() -> None:
    assert "s3_bucket needs s3_endpoint" in refused(s3_bucket="backups")
    assert "keep one" in refused(**S3, backup_repository={"type": "azure"})
    assert "backup_repository needs a type" in refused(backup_repository={"azure-account": "x"})
    assert "backup_repository needs a type" in refused(backup_repository={"type": "ftp"})
    # An endpoint alone is a half-made decision, and harms nobody.
    assert not made(s3_endpoint=S3["s3_endpoint"]).backed_up


def test_fr007_backups_are_made_as_soon_as_there_is_a_store(tmp_path: Path) -> None:
    assert not made().backed_up
    assert made(**S3).backed_up
    assert made(backup_repository={"type": "sftp", "sftp-host": "nas"}).backed_up
    trusted = tmp_path / "ca.pem"
    trusted.touch()
    assert made(**S3, s3_ca_file=str(trusted)).s3_ca_file == str(trusted)
    for written in ("https://s3.internal:8333/", " https://s3.internal:8333 "):
        assert made(**{**S3, "s3_endpoint": written}).s3_endpoint == S3["s3_endpoint"]


@pytest.mark.parametrize(
    ("profile", "given", "days"), [("production", 0, 30), ("staging", 0, 7), ("production", 14, 14), ("staging", 90, 90)]
)
def test_us6_3_daily_backups_stay_thirty_days_and_seven_in_staging(profile: str, given: int, days: int) -> None:
    assert backups.days(made(profile=profile, backup_days=given)) == days


def test_fr008_the_newest_seven_stay_on_the_hosts_disk() -> None:
    assert made().backup_local == 7


def test_us6_1_a_backup_runs_daily_and_a_drill_monthly_unless_told_otherwise() -> None:
    assert made().backup_calendar == "*-*-* 02:30:00 UTC"
    assert made().drill_calendar == "*-*-02 04:30:00 UTC"
    assert made(backup_calendar="Mon..Fri *-*-* 00/6:15:00 UTC").backup_calendar


def test_sec003_the_secrets_that_backups_need_follow_from_the_store() -> None:
    assert made().backup_secrets == ()
    assert made(**S3).backup_secrets == ("backup_passphrase", "s3_access_key", "s3_secret_key")
    azure = made(backup_repository={"type": "azure"}, backup_repository_secrets={"azure-key": "azure_key"})
    assert azure.backup_secrets == ("backup_passphrase", "azure_key")
    for env in (made(**S3), azure):
        assert set(env.backup_secrets) <= set(env.secret_names), "a deploy without them is refused"
    assert "backup_passphrase" not in made().secret_names


def test_sec003_dumps_are_sealed_to_as_many_as_one_likes() -> None:
    other = str(pyrage.x25519.Identity.generate().to_public())
    assert made(backup_recipients=[AGE, other]).backup_recipients == (AGE, other)
