"""Each setting missing, malformed or a placeholder, one by one, generated from the settings classes."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyrage

from app.settings import Profile, Settings
from lab.client import Lab
from signupflow.engine_client import docker_client
from signupflow.settings import PLACEHOLDERS, Environment, from_data

Evidence = dict[str, Any]

# Valid in themselves; what a case leaves out or breaks is the only fault.
DEPLOY_EXAMPLE: dict[str, Any] = {
    "environment": "sample",
    "deploy_public_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2kq0bTn0lZ7x5yqv0cJmJ8sQ0b1yq6m3mW7Zp2aJ4c operations"],
    "domains": ["signupflow.rescue-helpers.org"],
    "acme_email": "operations@rescue-helpers.org",
    "traefik_image": "traefik:v3.7@sha256:" + "0a" * 32,
    "app_image": "signupflow/app:1.0.0",
}

# One value of each type that no field of that type takes. Free text is what a path or a command may be.
GARBAGE: Mapping[str, Any] = {"str": "!! not valid", "int": "minus one", "tuple": [{}], "dict": ["!!"]}
FREE_TEXT = {"secrets_file", "age_key_file", "reason", "hook_before", "hook_after", "legacy_stop", "legacy_start"}


@dataclass(frozen=True)
class Case:
    """One way to get one setting wrong."""

    setting: str
    fault: str
    environment: Mapping[str, str]


def app_cases() -> Iterator[Case]:
    """For every setting that production requires: missing, each malformed value, each placeholder. From `app.settings`."""
    complete = {name: setting.example for name, setting in app_settings().items() if Profile.PRODUCTION in setting.required_in}
    complete["APP_VERSION"] = "1.0.0"
    for name, setting in app_settings().items():
        if Profile.PRODUCTION not in setting.required_in:
            continue
        yield Case(name, "missing", {key: value for key, value in complete.items() if key != name})
        for value in setting.malformed:
            yield Case(name, "malformed", {**complete, name: value})
        for value in setting.placeholders:
            yield Case(name, "placeholder", {**complete, name: value})


def app_settings() -> dict[str, Any]:
    """Variable name to its `app.settings.Setting`."""
    return dict(Settings.documented())


def the_image_refuses_each(image: str) -> Evidence:
    """Start the image itself with each fault: it exits at once, not 0, names the variable and shows no secret value."""
    rows, wrong = [], []
    for case in app_cases():
        # An empty value stands for a missing one: the image sets a version of its own.
        given = {case.setting: "", **case.environment} if case.fault == "missing" else dict(case.environment)
        code, said = _start(image, given)
        named = case.setting in said
        secret = app_settings()[case.setting].secret and case.fault != "missing"
        shown = secret and case.environment[case.setting] in said
        rows.append({"setting": case.setting, "fault": case.fault, "exit": code, "named": named})
        if not code or not named or shown or "Traceback" in said:
            wrong.append({**rows[-1], "said": said[-500:]})
    assert rows
    assert not wrong, wrong
    return {"cases": len(rows), "settings": sorted({row["setting"] for row in rows}), "accepted_or_unnamed": wrong}


def _start(image: str, variables: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and output of the image with these variables; code 0 when it is still running after 20 s."""
    name = f"signupflow-settings-{uuid.uuid4().hex[:8]}"
    flags = [flag for variable, value in variables.items() for flag in ("--env", f"{variable}={value}")]
    command = [docker_client(), "run", "--rm", "--name", name, "--read-only", "--network", "none", *flags, image]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        subprocess.run([docker_client(), "rm", "--force", name], capture_output=True, check=True)
        return 0, "still running"
    return done.returncode, done.stdout + done.stderr


def deploy_settings_refuse_each() -> Evidence:
    """Every field of the deploys' settings: missing where required, malformed wherever a wrong value exists."""
    from_data(DEPLOY_EXAMPLE, "the example")
    tried, wrong = [], []
    for name, field in Environment.model_fields.items():
        faults = (
            [("missing", {key: value for key, value in DEPLOY_EXAMPLE.items() if key != name})] if field.is_required() else []
        )
        if field.is_required():
            faults.append(("placeholder", {**DEPLOY_EXAMPLE, name: PLACEHOLDERS[name]}))
        if name not in FREE_TEXT:
            kind = next((key for key in ("tuple", "dict", "int") if key in str(field.annotation)), "str")
            faults.append(("malformed", {**DEPLOY_EXAMPLE, name: GARBAGE[kind]}))
        for fault, data in faults:
            message = _refusal(data)
            tried.append(f"{name} {fault}")
            if not message.startswith("settings of here: 1 fault") or name not in message or "\n" in message:
                wrong.append({"setting": name, "fault": fault, "message": message})
    assert tried
    assert not wrong, wrong
    return {"cases": len(tried), "accepted_or_unnamed": wrong}


def _refusal(data: Mapping[str, Any]) -> str:
    try:
        from_data(data, "here")
    except Exception as error:
        return str(error)
    return "accepted"


def pyinfra_refuses_before_any_host(lab: Lab) -> Evidence:
    """The operator's own mistakes: one clear line, exit not 0, and no connection is even tried."""
    wrong_key = {"SIGNUPFLOW_AGE_KEY": "AGE-SECRET-KEY-1" + "Q" * 58}
    # (what, arguments, environment, inventory, what the line must name)
    other_key = {"SIGNUPFLOW_AGE_KEY": _fresh_key()}
    cases: list[tuple[str, list[str], Mapping[str, str], str]] = [
        ("malformed key", [], wrong_key, "age key"),
        ("wrong key", [], other_key, "cannot open"),
        ("missing key", ["--data", "age_key_file=/nowhere/age.key"], {}, "/nowhere/age.key"),
        ("missing secrets file", ["--data", "secrets_file=/nowhere/secrets.age"], {}, "/nowhere/secrets.age"),
        ("missing secret", ["--group-data", "tests/proofs/one_secret_more"], {}, "never_made"),
        ("setting misspelt", ["--data", "app_replica=2"], {}, "app_replicas"),
        ("host misspelt", ["--limit", "h9"], {}, "h9"),
        ("image absent", ["--data", "app_image=signupflow/nothing:1"], {}, "signupflow/nothing:1"),
        ("more replicas than connections", ["--data", "app_replicas=40"], {}, "postgres_max_connections"),
        ("--no-wait", ["--no-wait"], {}, "--no-wait"),
        ("--serial", ["--serial"], {}, "--serial"),
        ("--fail-percent", ["--fail-percent", "10"], {}, "--fail-percent"),
        ("--retry", ["--retry", "2"], {}, "--retry"),
    ]
    rows, wrong = [], []
    for what, arguments, environment, named in cases:
        done = lab.pyinfra(*arguments, "-y", check=False, environment=environment)
        rows.append(_judge(what, done, named))
    for what, inventory, named in (
        ("inventory misspelt", "inventroy.py", "inventroy.py"),
        ("inventory empty", "tests/proofs/empty_inventory.py", "names no hosts"),
    ):
        changed = Lab({**lab, "inventory": inventory})
        rows.append(_judge(what, changed.pyinfra("-y", check=False), named))
    rows.append(_judge("deploy misspelt", lab.pyinfra("-y", deploy="deploys/prodction.py", check=False), "prodction.py"))
    wrong = [row for row in rows if not row["refused"]]
    assert not wrong, wrong
    return {"cases": rows}


def _fresh_key() -> str:

    return str(pyrage.x25519.Identity.generate())


def _judge(what: str, done: subprocess.CompletedProcess[str], named: str) -> dict[str, Any]:
    errors = [line for line in done.stderr.splitlines() if "rror" in line]
    refused = (
        done.returncode != 0
        and len(errors) == 1
        and named in errors[0]
        and "Connecting" not in done.stderr
        and "Traceback" not in done.stderr
    )
    return {"case": what, "exit": done.returncode, "line": errors[0] if errors else done.stderr[-300:], "refused": refused}
