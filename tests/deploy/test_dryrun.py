"""A plan that was kept says what a dry run now says, or which hosts differ."""

from __future__ import annotations

import pytest

from signupflow.dryrun import EVERYBODY, Plan, changed_hosts, read
from signupflow.errors import OperatorError

SAID = """--> Loading config...
--> Connecting to hosts...
    [web1] Connected
    [web2] Connected
--> Release of app 2.0
    1. every host is ready
    [web1]     -a: 1
    [web2]     -a: 1
    [web1]     +a: 2
    [web2] Ready: deploys/production.py
"""


def test_fr009_lines_are_kept_by_host_whatever_order_they_were_printed_in() -> None:
    found = read(SAID)
    assert found["web1"] == ("    -a: 1", "    +a: 2")
    assert found["web2"] == ("    -a: 1",)
    assert found[EVERYBODY] == ("--> Release of app 2.0", "    1. every host is ready")
    mixed = SAID.replace("    [web1]     -a: 1\n    [web2]     -a: 1\n", "    [web2]     -a: 1\n    [web1]     -a: 1\n")
    assert mixed != SAID
    assert read(mixed) == found
    assert read(SAID.replace("-a: 1", "\x1b[31m-a: 1\x1b[0m")) == found, "colour is no change"


def test_fr009_the_host_that_differs_is_named() -> None:
    before = read(SAID)
    assert changed_hosts(before, before) == []
    assert changed_hosts(before, read(SAID.replace("[web2]     -a: 1", "[web2]     -a: 9"))) == ["web2"]
    assert changed_hosts(before, read(SAID.replace("app 2.0", "app 3.0"))) == [EVERYBODY]
    one_gone = read(SAID.replace("    [web1]     +a: 2\n", "").replace("    1. every", "    1. some"))
    assert changed_hosts(before, one_gone) == ["web1"], "what belongs to no host follows from the hosts"


def test_fr009_a_plan_survives_its_file_and_nothing_else_is_taken_for_one() -> None:
    plan = Plan("t", "ada", ("pyinfra", "inventory.py"), {"config.py": "0"}, {"secret jwt_keys": "0"}, read(SAID), SAID)
    assert Plan.from_json(plan.as_json(), "plan.json") == plan
    for bad in ("", "[]", "{}", "null", '{"format": 2}', '{"format": 2, "hosts": {}, "command": [], "who": 1}'):
        with pytest.raises(OperatorError, match=r"plan\.json is no plan: name a file that `signupflow plan` wrote"):
            Plan.from_json(bad, "plan.json")
    with pytest.raises(OperatorError, match="another version"):
        Plan.from_json(plan.as_json().replace('"format": 2', '"format": 99'), "plan.json")
