"""Settings that are mappings: which add to what group_data/all.py says, and which replace it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_origin

import pytest

from signupflow.errors import OperatorError
from signupflow.settings import MERGED_SETTINGS, TYPES, from_data, of_levels
from signupflow.settings.levels import combined
from tests.deploy import told
from tests.proofs.configuration import DEPLOY_EXAMPLE

ALL = {**DEPLOY_EXAMPLE, "app_environment": {"LOG_LEVEL": "info", "APP_ENV": "$profile"}, "app_secrets": {"JWT_KEYS": "jwt_keys"}}


def settings(*levels: dict[str, Any], typed: tuple[str, ...] = ()) -> Any:
    return from_data(of_levels([ALL, *levels], typed), "web1")


def test_a27_one_variable_of_an_environment_leaves_the_others_of_all_py() -> None:
    env = settings({"app_environment": {"LOG_LEVEL": "warning"}, "app_secrets": {"API_KEY": "partner"}})
    assert env.app_environment == {"LOG_LEVEL": "warning", "APP_ENV": "$profile"}
    assert env.app_secrets == {"JWT_KEYS": "jwt_keys", "API_KEY": "partner"}


def test_a27_a_key_set_to_none_is_left_out() -> None:
    env = settings({"app_environment": {"LOG_LEVEL": None}, "app_secrets": {"JWT_KEYS": None}})
    assert env.app_environment == {"APP_ENV": "$profile"}
    assert env.app_secrets == {}
    again = settings({"app_environment": {"LOG_LEVEL": None}}, {"app_environment": {"LOG_LEVEL": "debug"}})
    assert again.app_environment["LOG_LEVEL"] == "debug"


def test_a27_what_is_typed_adds_as_well() -> None:
    env = settings(typed=('app_environment={"LOG_LEVEL": "debug", "APP_ENV": null}',))
    assert env.app_environment == {"LOG_LEVEL": "debug"}


def test_a27_every_mapping_is_decided() -> None:
    """A new setting that is a mapping must be put on one of the two sides."""
    mappings = {name for name, kind in TYPES.items() if get_origin(kind) is dict}
    assert mappings == {"app_environment", "app_secrets", "backup_repository", "backup_repository_secrets"}
    assert mappings - MERGED_SETTINGS == {"backup_repository", "backup_repository_secrets"}


def test_a27_options_of_one_store_are_not_mixed_with_another_s() -> None:
    s3, azure = {"type": "s3", "s3-region": "eu"}, {"type": "azure"}
    assert combined([{"backup_repository": s3}, {"backup_repository": azure}], MERGED_SETTINGS) == {"backup_repository": azure}


def test_a27_what_is_no_mapping_is_refused_and_not_merged() -> None:
    with pytest.raises(OperatorError, match="app_environment"):
        settings({"app_environment": "LOG_LEVEL=debug"})


def test_a27_the_same_is_seen_by_a_deploy_that_pyinfra_runs(tmp_path: Path) -> None:
    """The repository's own group_data/all.py, a group's file beside the inventory, and the command line."""
    path = told.inventory(tmp_path, group_data={"sample": {"app_environment": {"LOG_LEVEL": "warning", "DATA_DIR": None}}})
    found = told.settings(path, "--data", 'app_environment={"RATE": "1.10"}')["app_environment"]
    assert found["LOG_LEVEL"] == "warning"
    assert found["RATE"] == "1.10"
    assert found["ALLOWED_HOSTS"] == "$domains"
    assert "DATA_DIR" not in found


def test_a27_an_all_py_of_another_app_replaces_the_repository_s(tmp_path: Path) -> None:
    """It is the same level: what another app is, is said by replacing the file, not by adding to it."""
    path = told.inventory(tmp_path, group_data={"all": {"app_environment": {"GREETING": "hello"}, "app_secrets": {}}})
    found = told.settings(path)
    assert found["app_environment"] == {"GREETING": "hello"}
    assert found["app_secrets"] == {}
