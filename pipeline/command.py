"""The steps from a commit to production, one command each: scripts/delivery.py. Workflows and `make pipeline` call nothing else.

Every value comes by an environment variable or an option; what a step hands on goes to delivery/ and to the runner's files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pipeline import access, drift, exceptions, issues, markdown, runner, scan, source
from pipeline import build as builds
from pipeline.build import Build
from pipeline.github import GitHub
from signupflow import archives, commit, dryrun, engine_client
from signupflow.cli.running import ROOT, Target, executable, shown
from signupflow.errors import OperatorError
from signupflow.images import inspect
from signupflow.release import ledger, rollback
from signupflow.release.served import now as served_by

FOLDER = Path("delivery")
IMAGE, BUILD, REPORT = FOLDER / "image.tar", FOLDER / "build.json", FOLDER / "scan.json"
PINNED_HOSTS = Path(commit.PINNED_HOSTS)
STAGING = "deploy-staging.yml"
BRANCH = "main"
# Exit codes beside 0: a scan that is refused is 1, drift is 2 as in other tools; the other one of the two is "could not tell".
REFUSED, UNREADABLE = 1, 2
DRIFTED = 2


def from_environment(*names: str, required: bool = True) -> Callable[..., Any]:
    """Options that workflows give by environment variables of the same name."""

    def wrap(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            option = "--" + name.lower().replace("_", "-")
            command = click.option(option, envvar=name, required=required, default=None if required else "", show_envvar=True)(
                command
            )
        return command

    return wrap


def token_of(required: bool = True) -> Callable[..., Any]:
    """The registry's login; without a token nobody logs in."""
    return from_environment("REGISTRY_USER", "REGISTRY_TOKEN", required=required)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """From a commit to production, step by step."""


@main.command()
@from_environment("IMAGE_NAME")
def build(image_name: str) -> None:
    """Build the app's image of the commit that is checked out, once, and keep it as a file: delivery/image.tar."""
    revision = source.of_head(ROOT)
    tag = builds.tag(source.version(ROOT), revision.commit)
    reference = str(builds.parsed(f"{image_name}:{tag}"))
    engine_client.build(ROOT, reference, build_args=source.arguments(ROOT, tag, revision), progress=click.echo)
    FOLDER.mkdir(exist_ok=True)
    engine_client.docker("save", "--output", str(IMAGE), reference)
    made = Build(image_name, tag, revision.commit, archives.config_digest(IMAGE))
    BUILD.write_text(made.as_json())
    runner.output("image", made.reference)


@main.command()
@click.option("--report", type=click.Path(path_type=Path), default=REPORT, show_default=True, help="Trivy's JSON.")
@click.option("--exceptions", "file", type=click.Path(path_type=Path), default=Path(".trivyignore.yaml"), show_default=True)
@click.option(
    "--build", "record", type=click.Path(path_type=Path), default=BUILD, show_default=True, help="Which image it must be of."
)
@click.option("--today", hidden=True, type=click.DateTime(["%Y-%m-%d"]))
def gate(report: Path, file: Path, record: Path, today: datetime | None) -> None:
    """Refuse an image of which the report names a vulnerability. Exit 0 passes, 1 is refused, 2 unknown."""
    day = (today or datetime.now(UTC)).date()
    try:
        found = scan.read(_text(report), str(report))
        made = Build.from_json(_text(record), str(record))
        if found.image != made.config:
            raise OperatorError(
                f"{report} is of image {found.image[:19]}, not of {made.config[:19]} in {record}; scan this build"
            )
        entries = exceptions.parse(_text(file), str(file), day)
    except OperatorError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(UNREADABLE)
    runner.summary(scan.as_markdown(found, entries, day))
    if found.vulnerabilities:
        named = ", ".join(sorted({item.id for item in found.vulnerabilities}))
        click.echo(f"Error: the image is refused for {named}; the table says what to do", err=True)
        sys.exit(REFUSED)


@main.command()
@token_of()
def push(registry_user: str, registry_token: str) -> None:
    """Push the image that was built and scanned, from its file; put its digest on the record."""
    made = Build.from_json(_text(BUILD), str(BUILD))
    if archives.config_digest(IMAGE) != made.config:
        raise OperatorError(f"{IMAGE} is not the image that {BUILD} is of; build again")
    _log_in(made.name, registry_user, registry_token)
    engine_client.docker("load", "--input", str(IMAGE))
    engine_client.docker("push", "--quiet", made.reference)
    digests = {
        entry.partition("@")[0]: entry.partition("@")[2] for entry in (inspect(made.reference) or {}).get("RepoDigests", ())
    }
    if made.name not in digests:
        raise OperatorError(f"the registry returned no digest for {made.reference}; see the output of the push")
    pushed = made.pushed(digests[made.name])
    BUILD.write_text(pushed.as_json())
    _hand_on(pushed)


@main.command()
def chosen() -> None:
    """Say which build delivery/build.json is of: its image by digest, its commit, its tag."""
    made = Build.from_json(_text(BUILD), str(BUILD))
    builds.pinned(made.reference)
    _hand_on(made)


@main.command()
@from_environment("IMAGE")
@token_of(required=False)
def fetch(image: str, registry_user: str, registry_token: str) -> None:
    """Pull IMAGE here, by its digest: what it does to the schema is read from its labels before any host is touched."""
    reference = builds.pinned(image)
    if registry_token:
        _log_in(reference.name, registry_user, registry_token)
    engine_client.docker("pull", "--quiet", str(reference))


@main.command(name="access")
@from_environment("SSH_PRIVATE_KEY", "SSH_KNOWN_HOSTS")
def grant(ssh_private_key: str, ssh_known_hosts: str) -> None:
    """Write this environment's SSH key and its hosts' pinned keys where ssh and pyinfra look for them."""
    hosts, key = access.known_hosts(ssh_known_hosts), access.private_key(ssh_private_key)
    access.write_key(Path.home() / ".ssh" / "id_ed25519", key)
    PINNED_HOSTS.write_text(hosts)
    click.echo(f"{len(hosts.splitlines())} host keys are pinned")


@main.command()
@from_environment("STAGING_RUN", required=False)
@from_environment("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
def staged(staging_run: str, github_api_url: str, github_repository: str, github_token: str) -> None:
    """Say which run of the staging workflow is promoted: STAGING_RUN, or the newest that succeeded on main."""
    github = GitHub(github_api_url, github_repository, github_token)
    if not staging_run:
        run = github.newest_success(STAGING, BRANCH)
    elif staging_run.isascii() and staging_run.isdigit():
        run = int(staging_run)
        github.succeeded(run, STAGING, BRANCH)
    else:
        raise OperatorError(f"{staging_run!r} is no run; its number is in the address of the run's page")
    runner.output("run", str(run))


@main.command()
@click.argument("plan", type=click.Path(path_type=Path), default=Path("plan.json"))
def show(plan: Path) -> None:
    """Put a plan on the page of the run, for whoever approves it."""
    kept = dryrun.Plan.from_json(_text(plan), str(plan))
    text = markdown.shortened(dryrun.ANSI.sub("", kept.text), runner.MOST_SUMMARY)
    runner.summary(f"## What will be done\n\nPlanned {kept.made}.\n\n{markdown.block(text)}\n")


@main.command()
@click.option("--inventory", default="inventory.py", show_default=True, envvar="SIGNUPFLOW_INVENTORY")
def served(inventory: str) -> None:
    """Say what was deployed last, by the history on the hosts: the image, and the commit of this repository."""
    command = Target(inventory).command("history", "-y")
    found = drift.served(ledger.parse(_answer(command, {"SIGNUPFLOW_JSON": "1"})[0]))
    builds.pinned(found.image)
    for made in found.uncommitted:
        click.echo(
            f"Warning: a later deployment was made from {made}, which is no commit; hosts are compared with {found.commit}"
        )
    runner.output("image", found.image)
    runner.output("commit", _commit(found.commit, "hosts were deployed"))


@main.command()
@from_environment("VERSION", required=False)
@click.option("--inventory", default="inventory.py", show_default=True, envvar="SIGNUPFLOW_INVENTORY")
def earlier(version: str, inventory: str) -> None:
    """Say where a rollback goes, by the history on the hosts: the run that released it, and the commit that it was made from.

    Its settings are those that were approved with it. VERSION is what `signupflow history` shows, empty for the previous one.
    """
    target = Target(inventory)
    records = ledger.parse(_answer(target.command("history", "-y"), {"SIGNUPFLOW_JSON": "1"})[0])
    record = rollback.target(records, served_by(records), version)
    if not drift.COMMITTED.fullmatch(record.deploys):
        raise OperatorError(
            f"{record.version} was released from {record.deploys or 'no repository'}, which is no commit: its settings are not "
            "known here; go back from a machine that has them, with `signupflow rollback`"
        )
    runner.output("run", record.run)
    runner.output("version", record.version)
    runner.output("commit", _commit(record.deploys, f"{record.version} was released"))


@main.command(name="drift")
@from_environment("IMAGE", "COMMIT")
@click.option("--environment", "name", envvar="ENVIRONMENT", required=True, help="Its name, for people.")
@click.option("--inventory", default="inventory.py", show_default=True, envvar="SIGNUPFLOW_INVENTORY")
def look(image: str, commit: str, name: str, inventory: str) -> None:
    """Compare hosts with what was deployed: a dry run. Exit 0 nothing differs, 2 something does, 1 unknown."""
    what = drift.Served(str(builds.pinned(image)), commit)
    command = Target(inventory).command("production", "--dry", "--diff", "--json", app_image=what.image)
    # 2: what differs is a change that a run would be refused for, such as one that interrupts PostgreSQL.
    said, told = _answer(command, accepted=(0, 2))
    found = drift.compared(name, what, said, dryrun.read(told))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "drift.json").write_text(found.as_json())
    runner.summary(found.as_markdown())
    sys.exit(DRIFTED if found.drifted else 0)


@main.command()
@from_environment("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
def issue(github_api_url: str, github_repository: str, github_token: str) -> None:
    """Open, bring up to date or close the one issue about drift, by delivery/drift.json."""
    path = FOLDER / "drift.json"
    try:
        found = json.loads(_text(path))
        drifted, title, body = bool(found["drifted"]), str(found["title"]), str(found["body"])
    except (ValueError, TypeError, KeyError):
        raise OperatorError(f"{path} does not say what was found; run `scripts/delivery.py drift` again") from None
    github = GitHub(github_api_url, github_repository, github_token)
    there = github.open_issue(title)
    action = issues.due(drifted, body, there)
    if action is issues.Action.OPEN:
        github.open(title, body)
    elif action is issues.Action.UPDATE and there:
        github.update(there.number, body)
    elif action is issues.Action.CLOSE and there:
        github.close(there.number, body)
    click.echo(f"issue: {action.value}")


@main.command(name="tag")
@from_environment("TAG", "COMMIT", "ENVIRONMENT", "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
def mark(tag: str, commit: str, environment: str, github_api_url: str, github_repository: str, github_token: str) -> None:
    """Tag the commit that an environment has now: production-1.4.0-g0123456789ab."""
    if not builds.COMMIT.fullmatch(commit):
        raise OperatorError(f"{commit!r} is no commit: 40 hexadecimal digits name one")
    builds.parsed(f"release:{tag}")
    name = builds.parsed(f"release:{environment}-{tag}").tag
    GitHub(github_api_url, github_repository, github_token).tag(name, commit)
    click.echo(f"{name} is on {commit[:12]}")


def _commit(short: str, what: str) -> str:
    """A commit of this clone by its first digits, from which something was done."""
    words = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{short}^{{commit}}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperatorError(f"commit {short}, from which {what}, is not in this clone; fetch it")
    return done.stdout.strip()


def _hand_on(made: Build) -> None:
    for name, value in {
        "image": made.reference,
        "digest": made.digest,
        "commit": made.commit,
        "tag": made.tag,
        "name": made.name,
    }.items():
        runner.output(name, value)


def _log_in(name: str, user: str, token: str) -> None:
    words = ["login", "--username", user, "--password-stdin", *filter(None, [builds.registry(name)])]
    engine_client.docker(*words, stdin=token)


def _answer(command: list[str], environment: dict[str, str] | None = None, accepted: tuple[int, ...] = (0,)) -> tuple[str, str]:
    """What a pyinfra command printed for programs, and what for people."""
    shown(command)
    done = subprocess.run(
        executable(command), cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    click.echo(done.stderr, err=True)
    if done.returncode not in accepted:
        raise OperatorError(f"pyinfra ended with {done.returncode}; its own message is above")
    return done.stdout, done.stderr


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        raise OperatorError(f"{path} cannot be read; the step before writes it") from None


def run() -> None:
    """The program: what is wrong is one line, and exit code 1."""
    try:
        main(standalone_mode=False)
    except click.ClickException as error:  # not click's own exit code 2, which says something else here
        error.show()
        sys.exit(1)
    except OperatorError as error:
        sys.exit(f"Error: {error}")
