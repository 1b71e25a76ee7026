"""Hosts read settings on each other's behalf, so an environment has one value for each of them."""

from __future__ import annotations

import pytest

from signupflow.errors import OperatorError
from signupflow.settings import PER_HOST, Environment, agree, from_data
from tests.proofs.configuration import DEPLOY_EXAMPLE


def environment(**changed: object) -> Environment:
    return from_data({**DEPLOY_EXAMPLE, **changed}, "a host")


@pytest.mark.parametrize(
    "changed",
    [{"app_ready_path": "/other"}, {"domains": ["b.helpers.org"]}, {"app_migration_command": ["migrate"]}, {"app_name": "other"}],
)
def test_us8_1_a_setting_that_differs_between_hosts_is_refused_and_named(changed: dict[str, object]) -> None:
    with pytest.raises(OperatorError, match=rf"^{next(iter(changed))} differs between app1 and app2"):
        agree({"app1": environment(), "app2": environment(**changed)})


def test_us8_1_what_belongs_to_a_host_may_differ() -> None:
    agree({"app1": environment(app_replicas=1, private_address="10.0.0.2"), "app2": environment(app_replicas=4)})
    assert set(Environment.model_fields) >= PER_HOST
