"""What the workflow files may hold: calls of programs, pinned actions, the least rights; and in which order things happen."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from lab.client import ROOT
from tests.delivery.workflows import FOLDER, commands, jobs, steps, workflows

DOCUMENT = ROOT / "docs" / "deployment" / "GITHUB_ACTIONS.md"
# The one command that is more than a program and its words: CI needs root for its hosts.
CI_COMMANDS = ["make check", 'sudo -E env "PATH=$PATH" bash .ci/run', 'sudo -E env "PATH=$PATH" make test-long']
PROGRAMS = re.compile(r"make|scripts/[a-z_]+\.py|\.venv/bin/signupflow")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
USES = re.compile(r"^\s*-?\s*uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")
DEPLOYING = {("deploy-staging", "deploy"), ("deploy-production", "deploy"), ("rollback", "rollback")}


def needs(job: dict[str, Any]) -> set[str]:
    found = job.get("needs", [])
    return {found} if isinstance(found, str) else set(found)


def all_before(workflow: str, name: str) -> set[str]:
    """Jobs that must have ended well before this one begins."""
    there = workflows()[workflow]["jobs"]
    found: set[str] = set()
    todo = [name]
    while todo:
        for earlier in needs(there[todo.pop()]) - found:
            found.add(earlier)
            todo.append(earlier)
    return found


@pytest.mark.parametrize("step", commands(), ids=str)
def test_us3_no_logic_is_in_yaml(step: Any) -> None:
    """A command is one program and its words; a variable stands in double quotes. GitHub puts nothing into it."""
    assert "${{" not in step.run
    if step.run in CI_COMMANDS[1:]:
        return
    assert len(step.run.splitlines()) == 1
    assert PROGRAMS.fullmatch(shlex.split(step.run)[0]), step.run
    unquoted = re.sub(r'"[A-Za-z0-9_=]*\$[A-Z_]+"', "", step.run)
    assert re.fullmatch(r"[A-Za-z0-9_./ -]*", unquoted), f"shell in {step.run}"
    assert set(step.raw) <= {"id", "name", "run", "env", "continue-on-error"}


def test_us3_programs_that_workflows_call_are_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for step in commands():
        words = shlex.split(step.run)
        if words[0] == "make":
            assert words[1] in targets
        elif words[0].startswith("scripts/"):
            assert (ROOT / words[0]).stat().st_mode & 0o111, f"{words[0]} is not executable"


def test_sec004_every_action_is_pinned_by_commit_with_its_version_and_two_sources() -> None:
    table = {
        row[0]: row for line in DOCUMENT.read_text().splitlines() if (row := [cell.strip(" `") for cell in line.split("|")[1:-1]])
    }
    used = set()
    for path in FOLDER.glob("*.yml"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "uses:" not in line or "uses: ./.github/workflows/" in line:
                continue
            match = USES.match(line)
            assert match, f"{path.name}:{number} is not pinned by a commit with its version behind it"
            used.add(match.groups())
    assert len({action for action, *_ in used}) == len(used), "an action is used in two versions"
    for action, commit, version in used:
        assert action in table, f"{action} is not in the table of {DOCUMENT.name}"
        assert table[action][1:3] == [version, commit]
        assert len([source for source in table[action][3].split(",") if "/" in source]) >= 2, f"{action} needs two sources"
    listed = {name for name, row in table.items() if len(row) == 4 and re.fullmatch(r"[0-9a-f]{40}", row[2])}
    assert listed == {action for action, *_ in used}, "the table lists an action that nobody uses"


def test_sec007_rights_are_none_at_the_top_and_few_in_each_job() -> None:
    writing = {}
    for workflow, name, job in jobs():
        assert workflows()[workflow]["permissions"] == {}, workflow
        rights = job["permissions"]
        assert isinstance(rights, dict), f"{workflow}/{name}"
        writing[workflow, name] = {right for right, level in rights.items() if level == "write"}
    assert {job: rights for job, rights in writing.items() if rights} == {
        ("image", "publish"): {"packages", "id-token", "attestations"},
        ("deploy-staging", "image"): {"packages", "id-token", "attestations"},
        ("deploy-production", "tag"): {"contents"},
        ("drift", "tell"): {"issues"},
    }


def test_sec001_secrets_go_to_single_steps_of_jobs_in_an_environment() -> None:
    for workflow, name, job in jobs():
        head = {key: value for key, value in job.items() if key != "steps"}
        assert not re.search(r"secrets\.|github\.token", str(head)), f"{workflow}/{name}: a secret for every step"
        for step in job.get("steps", ()):
            used = set(re.findall(r"secrets\.([A-Z_]+)", str(step)))
            assert not used or "environment" in job, f"{workflow}/{name}: {used} outside an environment"
    for step in steps():
        if step.uses.startswith("actions/checkout"):
            assert step.given["persist-credentials"] is False or step.given["persist-credentials"] == "false", str(step)


def test_us3_nothing_that_strangers_start_has_rights() -> None:
    triggers = {name: set(found["on"]) for name, found in workflows().items()}
    assert triggers == {
        "ci": {"pull_request", "workflow_call"},
        "image": {"workflow_call"},
        "deploy-staging": {"push"},
        "deploy-production": {"workflow_dispatch"},
        "rollback": {"workflow_dispatch"},
        "drift": {"schedule", "workflow_dispatch"},
    }
    assert workflows()["deploy-staging"]["on"]["push"] == {"branches": ["main"]}


def test_us3_1_us3_3_staging_gets_an_image_only_after_all_tests() -> None:
    there = workflows()["deploy-staging"]["jobs"]
    assert there["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert there["image"]["uses"] == "./.github/workflows/image.yml"
    assert all_before("deploy-staging", "deploy") == {"ci", "image"}
    assert all_before("deploy-staging", "image") == {"ci"}
    ran = [step.run for step in commands() if step.workflow == "ci"]
    assert ran == CI_COMMANDS


def test_us3_2_sec004_an_image_is_pushed_only_after_its_scan_was_judged() -> None:
    assert all_before("image", "publish") == {"build", "scan"}
    order = [step.run or step.uses.partition("@")[0] for step in steps() if step.workflow == "image"]
    wanted = [
        "scripts/delivery.py build",
        "aquasecurity/trivy-action",
        "scripts/delivery.py gate",
        "scripts/delivery.py push",
        "actions/attest",
    ]
    assert [order.index(name) for name in wanted] == sorted(order.index(name) for name in wanted)
    assert [step for step in steps() if step.run.endswith(".py build")] == [
        step for step in steps() if step.run.endswith(".py build") and step.workflow == "image"
    ], "an image is built once"
    scans = [step.given for step in steps() if step.uses.startswith("aquasecurity/trivy-action")]
    assert {given["format"] for given in scans} == {"json", "cyclonedx"}
    assert {given["input"] for given in scans} == {"delivery/image.tar"}
    (judged,) = [given for given in scans if given["format"] == "json"]
    # The gate refuses whatever the report names, so Trivy has to leave out what stops nothing.
    assert (judged["severity"], judged["ignore-unfixed"]) == ("HIGH,CRITICAL", "true")
    assert (ROOT / judged["trivyignores"]).is_file()
    assert set(workflows()["image"]["on"]["workflow_call"]["outputs"]) == {"image", "digest"}


def test_us3_4_production_is_planned_shown_approved_and_only_then_changed() -> None:
    there = workflows()["deploy-production"]["jobs"]
    assert there["deploy"]["environment"] == "production"
    assert there["plan"]["environment"] != "production", "a plan must not wait for the approval that it is for"
    assert all_before("deploy-production", "deploy") == {"choose", "plan"}
    plan = [
        step.run or step.given.get("name", step.uses)
        for step in steps()
        if (step.workflow, step.job) == ("deploy-production", "plan")
    ]
    assert plan[-3:] == [
        '.venv/bin/signupflow plan --output plan.json --data "app_image=$IMAGE"',
        "scripts/delivery.py show plan.json",
        "plan",
    ]
    changing = [step.run for step in commands() if (step.workflow, step.job) == ("deploy-production", "deploy")]
    assert changing[-1] == ".venv/bin/signupflow apply plan.json"
    assert all_before("deploy-production", "tag") == {"choose", "plan", "deploy"}


def test_us3_4_production_gets_the_digest_and_the_commit_that_staging_had() -> None:
    for step in steps():
        if step.workflow != "deploy-production":
            continue
        if "IMAGE" in step.env:
            assert step.env["IMAGE"] == "${{ needs.choose.outputs.image }}"
        if step.job in ("plan", "deploy") and step.uses.startswith("actions/checkout"):
            assert step.given["ref"] == "${{ needs.choose.outputs.commit }}"
    staged = [step for step in steps() if step.given.get("name") == "staged"]
    assert [(step.workflow, step.job) for step in staged] == [("deploy-production", "choose"), ("deploy-staging", "deploy")]
    deploy = [step for step in steps() if (step.workflow, step.job) == ("deploy-staging", "deploy")]
    assert deploy[-1].given["name"] == "staged", "only what was deployed well is kept for production"


def test_us3_ec5_one_deployment_at_a_time_and_none_is_cancelled_half_way() -> None:
    groups = {}
    for workflow, name, job in jobs():
        if (workflow, name) in DEPLOYING:
            assert job["concurrency"]["cancel-in-progress"] == "false"
            groups[workflow] = job["concurrency"]["group"]
    assert groups == {
        "deploy-staging": "hosts-staging",
        "deploy-production": "hosts-production",
        "rollback": "hosts-${{ inputs.environment }}",
    }
    for name in ("deploy-staging", "deploy-production", "drift"):
        assert workflows()[name]["concurrency"]["cancel-in-progress"] == "false"
    changing = {(step.workflow, step.job) for step in commands() if re.search(r"signupflow (deploy|apply|rollback)", step.run)}
    assert changing == DEPLOYING


def test_sec007_host_keys_are_pinned_and_never_fetched() -> None:
    for path in [*FOLDER.glob("*.yml"), *(ROOT / "scripts").iterdir(), *(ROOT / "pipeline").glob("*.py")]:
        if path.is_file():
            said = path.read_text(errors="replace")
            assert "keyscan" not in said, path
            assert not re.search(r"StrictHostKeyChecking[= ](no|accept-new)", said), path
    reaching = [step for step in commands() if re.search(r"\.venv/bin/signupflow|delivery\.py (served|drift)", step.run)]
    for step in reaching:
        before = [
            other.run
            for other in commands()
            if (other.workflow, other.job) == (step.workflow, step.job) and other.number < step.number
        ]
        assert "scripts/delivery.py access" in before, f"{step} reaches hosts without pinned keys"
    for step in commands():
        if step.run.endswith("access"):
            assert step.env["SSH_KNOWN_HOSTS"] == "${{ vars.SSH_KNOWN_HOSTS }}"


def test_us3_expressions_are_only_where_they_cannot_become_shell() -> None:
    for step in steps():
        for value in (*step.env.values(), *step.given.values()):
            for expression in EXPRESSION.findall(str(value)):
                assert re.fullmatch(
                    r" (secrets|vars|inputs)\.[A-Za-z_]+ | (needs|steps)\.[a-z]+\.outputs\.[a-z]+ | github\.(actor|token) ",
                    expression,
                ), f"{step}: {expression}"
