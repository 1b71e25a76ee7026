"""What app/README.md says of the contract is there."""

from __future__ import annotations

import re

from app.routes.operations import router
from lab.client import ROOT
from signupflow.settings import Environment

README = (ROOT / "app" / "README.md").read_text()


def test_the_contract_names_settings_that_exist_and_all_commands() -> None:
    named = set(re.findall(r"`(app_\w+)`", README))
    assert named <= set(Environment.model_fields)
    assert {name for name in Environment.model_fields if re.fullmatch(r"app_\w+_(command|path)", name)} <= named


def test_the_contract_names_what_the_stand_in_has() -> None:
    paths = set(re.findall(r"`GET (/\S+)`", README))
    assert paths <= {getattr(route, "path", "") for route in router.routes}
    modules = re.findall(r"`python -m app\.(\w+)`", README)
    assert modules
    assert all((ROOT / "app" / f"{name}.py").is_file() for name in modules)
    assert all((ROOT / "app" / name).is_file() for name in re.findall(r"`(\w+\.py)`", README))
