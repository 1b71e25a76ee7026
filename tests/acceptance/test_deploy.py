"""From a bare host to SignUpFlow over HTTPS, on the lab's real host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.client import Lab
from signupflow.images import inspect
from signupflow.shared.places import APP_UID
from tests.evidence.plugin import Evidence, Short
from tests.proofs import configuration, convergence, foreign, interruptions, leaks, strangers
from tests.proofs.releasing import records

pytestmark = pytest.mark.lab


@pytest.mark.proof("exact-dry-run")
def test_us1_1_us2_2_deploying_starts_the_system_and_it_serves(
    first_deploy: dict[str, Any], lab: Lab, evidence: Evidence
) -> None:
    """The first dry run announced exactly what the first run did, and then every domain serves."""
    evidence(first_deploy)
    assert first_deploy["announced_and_done"] >= 20
    for domain in lab["domains"]:
        assert lab.https(domain, "/health").json()["status"] == "healthy"


def test_us1_4_the_app_runs_with_the_production_profile(lab: Lab) -> None:
    containers = lab.ssh("h1", "sudo docker ps -q --filter label=org.signupflow.app=signupflow").split()
    assert containers
    for container in containers:
        environment = lab.ssh("h1", f"sudo docker inspect --format '{{{{json .Config.Env}}}}' {container}")
        assert "APP_ENV=production" in json.loads(environment)
        assert "development" not in environment


def test_fr001_the_container_is_locked_down(lab: Lab) -> None:
    """Fixed non-root uid, read-only root, no capabilities, no new privileges, memory limited."""
    container = lab.ssh("h1", "sudo docker ps -q --filter label=org.signupflow.app=signupflow | head -1").strip()
    found = json.loads(lab.ssh("h1", f"sudo docker inspect {container}"))[0]
    settings = found["HostConfig"]
    assert found["Config"]["User"] == f"{APP_UID}:{APP_UID}"
    assert settings["ReadonlyRootfs"] is True
    assert settings["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["SecurityOpt"]
    assert settings["Memory"] > 0
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"


def test_fr004_postgresql_is_17_with_checksums_utc_and_builtin_collation(lab: Lab) -> None:
    query = (
        "select current_setting('server_version_num')::int / 10000, current_setting('data_checksums'),"
        " current_setting('TimeZone'), datlocprovider, datcollate from pg_database where datname = 'signupflow'"
    )
    row = lab.ssh("h1", f'sudo docker exec -u postgres signupflow-postgres psql -XAt -d signupflow -c "{query}"').strip()
    assert row == "17|on|UTC|b|C.UTF-8"


def test_fr004_each_database_role_can_do_its_one_thing(lab: Lab) -> None:
    """The owner cannot log in, the app cannot change the structure, the migrator's tables are the owner's."""
    sql = """
        select rolname || ' ' || rolcanlogin || ' ' || rolsuper from pg_roles where rolname like 'signupflow%' order by 1;
        select distinct tableowner from pg_tables where schemaname = 'public';
        select has_schema_privilege('signupflow_app_a', 'public', 'create');
        select has_table_privilege('signupflow_app_a', 'people', 'insert');
    """
    lines = lab.ssh("h1", "sudo docker exec -i -u postgres signupflow-postgres psql -XAt -d signupflow", stdin=sql).split("\n")
    assert [line for line in lines if line] == [
        "signupflow_app false false",
        "signupflow_app_a true false",
        "signupflow_app_b false false",
        "signupflow_migrator true false",
        "signupflow_owner false false",
        "signupflow_owner",
        "f",
        "t",
    ]


def test_fr004_schema_is_at_the_images_revision(lab: Lab) -> None:
    command = (
        'sudo docker exec -u postgres signupflow-postgres psql -XAt -d signupflow -c "select version_num from alembic_version"'
    )
    assert lab.ssh("h1", command).strip() == "b4e6f8a2c5d3"


def test_us1_1_rendered_compose_files_work_by_hand(lab: Lab) -> None:
    """On the host, `docker compose` in each directory finds what the deploy started, and would change nothing."""
    directories = lab.ssh(
        "h1", "ls -d /opt/signupflow/traefik /opt/signupflow/postgres /opt/signupflow/app-signupflow/g*"
    ).split()
    assert len(directories) == 3
    for directory in directories:
        running = lab.ssh("h1", f"cd {directory} && sudo docker compose ps --format '{{{{.Name}}}} {{{{.State}}}}'")
        assert running.strip().endswith("running"), directory
        said = lab.ssh("h1", f"cd {directory} && sudo docker compose up --detach 2>&1")
        assert "Recreate" not in said, said


@pytest.mark.proof("second-run")
def test_us1_1_second_run_changes_nothing(lab: Lab, evidence: Evidence) -> None:
    evidence(convergence.second_run_changes_nothing(lab))


@pytest.mark.full
@pytest.mark.proof("killed-runs")
def test_us1_1_a_run_killed_anywhere_is_finished_by_the_next(fresh_lab: Lab, evidence: Evidence) -> None:
    """Spread over what a first deploy takes; each run starts where the previous one was cut off."""
    evidence(interruptions.killed_runs_converge(fresh_lab, (3, 6, 9, 12, 4, 7, 16, 5, 8, 11, 6, 13)))


@pytest.mark.proof("one-variable")
def test_fr028_one_changed_variable_is_one_change(lab: Lab, tmp_path: Path, evidence: Evidence) -> None:
    evidence(convergence.one_variable_is_one_change(lab, tmp_path, list(leaks.markers(lab).values())))


@pytest.mark.long
@pytest.mark.proof("settings", part="command_line")
def test_fr029_operators_mistakes_are_refused_before_any_host(lab: Lab, evidence: Evidence) -> None:
    evidence(configuration.pyinfra_refuses_before_any_host(lab))


@pytest.mark.full
@pytest.mark.proof("settings", part="app_image")
def test_fr029_the_image_refuses_each_wrong_setting(lab: Lab, evidence: Evidence) -> None:
    evidence(configuration.the_image_refuses_each("signupflow/app:local"))


@pytest.mark.full
@pytest.mark.proof("settings", part="deploys")
def test_fr029_deploys_refuse_each_wrong_setting(evidence: Evidence) -> None:
    evidence(configuration.deploy_settings_refuse_each())


@pytest.mark.full
@pytest.mark.proof("foreign-image")
def test_fr001_a_foreign_image_deploys_by_group_data_alone(another_lab: Lab, evidence: Evidence) -> None:
    evidence(foreign.deploys_by_group_data_alone(another_lab))


@pytest.mark.full
@pytest.mark.proof("tags")
def test_a1_tags_that_look_like_numbers_arrive_as_typed(lab: Lab, evidence: Evidence) -> None:
    evidence(strangers.tags_stay_text(lab))


@pytest.mark.long
@pytest.mark.proof("third-domain")
def test_a11_a_third_domain_added_to_what_serves_has_its_own_certificate(lab: Lab, evidence: Evidence) -> None:
    evidence(strangers.a_third_domain_serves(lab))


@pytest.mark.long
@pytest.mark.proof("second-tenant")
def test_a24_another_app_or_environment_is_refused_by_name_and_nothing_is_touched(lab: Lab, evidence: Evidence) -> None:
    evidence(strangers.others_are_refused(lab))


@pytest.mark.proof("secrets")
def test_fr031_sec001_planted_secrets_are_nowhere(lab: Lab, short: Short, evidence: Evidence) -> None:
    evidence(leaks.planted_secrets_are_nowhere(lab, **short(images=("signupflow/app:local",), thorough=False)))
    leaks.age_file_is_opaque(lab)


def test_fr002_fr030_docker_compose_runs_the_development_profile(lab: Lab) -> None:
    """The repository's docker-compose.yml, on the lab's host: migrates, then serves with development's defaults."""
    directory = "/tmp/signupflow-development"
    lab.ssh("h1", f"mkdir -p {directory} && cat > {directory}/docker-compose.yml", stdin=Path("docker-compose.yml").read_text())
    image = lab.ssh("h1", "sudo docker images --format '{{.Repository}}:{{.Tag}}' signupflow/app | head -1").strip()
    lab.ssh("h1", f"sudo docker tag {image} signupflow:dev")
    compose = f"cd {directory} && sudo docker compose"
    try:
        lab.ssh("h1", f"{compose} up --detach --no-build --wait --wait-timeout 120 app")
        health = json.loads(lab.ssh("h1", "curl -s http://127.0.0.1:8000/health"))
        revision = lab.ssh(
            "h1", f"{compose} exec -T db psql -XAt -U signupflow -c 'select version_num from alembic_version'"
        ).strip()
    finally:
        lab.ssh("h1", f"{compose} down --volumes --timeout 5; sudo docker rmi signupflow:dev")
    assert health["status"] == "healthy"
    assert revision == "b4e6f8a2c5d3"


@pytest.mark.long
def test_us1_1_a_release_that_never_gets_healthy_leaves_the_old_one_serving(lab: Lab) -> None:
    """The candidate is taken away, the reason is printed, the exit code is not 0; the next good run changes nothing."""
    before = lab.ssh("h1", "sudo docker ps --no-trunc --format '{{.ID}} {{.Names}}' | sort")
    flags = ("--data", "app_health_path=/not-a-health-path", "--data", "app_start_seconds=9", "--data", "app_memory=400m")
    done = lab.pyinfra("-y", *flags, check=False)
    assert done.returncode != 0
    assert "/not-a-health-path answered 404, not 200, within 9 s" in done.stdout + done.stderr
    assert lab.https(lab["domains"][0], "/health").status == 200
    assert lab.ssh("h1", "sudo docker ps --all --no-trunc --format '{{.ID}} {{.Names}}' | sort") == before
    lab.pyinfra("-y")
    convergence.second_run_changes_nothing(lab)


@pytest.mark.long
def test_us1_1_a_run_cut_off_in_a_release_converges(lab: Lab) -> None:
    """A candidate that an earlier run left behind, and an old generation that it did not stop, are both taken away."""
    release = ("--data", "app_memory=390m")
    name = lab.ssh("h1", "sudo docker ps --filter label=org.signupflow.app=signupflow --format '{{.Names}}'").strip()
    image = lab.ssh("h1", f"sudo docker inspect --format '{{{{.Config.Image}}}}' {name}").strip()
    marks = {"org.signupflow.app": "signupflow", "org.signupflow.generation": 90, "com.docker.compose.project": "signupflow-g90"}
    labels = " ".join(f"--label {key}={value}" for key, value in marks.items())
    lab.ssh(
        "h1",
        f"sudo docker run -d --name signupflow-g90-app-1 {labels} --entrypoint python {image} -c 'import time; time.sleep(900)'",
    )
    lab.pyinfra("-y", *release)
    names = lab.ssh("h1", "sudo docker ps --all --filter label=org.signupflow.app=signupflow --format '{{.Names}}'").split()
    assert len(names) == 1
    assert names[0] in {"signupflow-g91-app-1", "signupflow-g92-app-1"}, "a number that was never used"
    assert lab.https(lab["domains"][0], "/health").status == 200
    convergence.second_run_changes_nothing(lab, *release)
    lab.pyinfra("-y")


def test_fr001_the_image_is_small_and_says_what_it_is(bare_lab: Lab) -> None:
    """Under 80 MB over its base; OCI labels, a fixed numeric user, a health check that needs no shell."""
    app, base = inspect("signupflow/app:local"), inspect("python:3.13-slim")
    assert app
    assert base
    assert app["Size"] - base["Size"] < 80e6
    labels = app["Config"]["Labels"]
    for name in ("title", "description", "source", "version", "revision", "created"):
        assert labels[f"org.opencontainers.image.{name}"]
    assert labels["org.signupflow.schema-revision"] == "b4e6f8a2c5d3"
    assert app["Config"]["User"] == f"{APP_UID}:{APP_UID}"
    assert app["Config"]["Healthcheck"]["Test"][:2] == ["CMD", "python"]


def test_fr011_fr012_the_first_release_is_in_the_history_to_go_back_to(lab: Lab) -> None:
    first = records(lab)[0]
    assert (first.kind, first.outcome) == ("release", "released")
    assert first.version
    assert first.image
    assert list(first.hosts) == [lab["hosts"][0]["fqdn"]]
