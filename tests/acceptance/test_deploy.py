"""From a bare host to SignUpFlow over HTTPS, on the lab's real host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab_client import Lab
from tests.proofs import configuration, convergence, foreign, leaks

pytestmark = pytest.mark.lab


def test_us1_1_deploying_starts_the_system_and_it_serves(lab: Lab, first_deploy: dict[str, Any]) -> None:
    """The first dry run announced exactly what the first run did, and then every domain serves."""
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
    assert found["Config"]["User"] == "10001:10001"
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


def test_us1_1_second_run_changes_nothing(lab: Lab) -> None:
    convergence.second_run_changes_nothing(lab)


def test_fr028_one_changed_variable_is_one_change(lab: Lab, tmp_path: Path) -> None:
    convergence.one_variable_is_one_change(lab, tmp_path, list(leaks.markers(lab).values()))


def test_fr029_operators_mistakes_are_refused_before_any_host(lab: Lab) -> None:
    configuration.pyinfra_refuses_before_any_host(lab)


def test_fr001_a_foreign_image_deploys_by_group_data_alone(lab: Lab) -> None:
    foreign.deploys_by_group_data_alone(lab)
    assert lab.wait_for_health(lab["domains"][0], seconds=30)["status"] == "healthy"


def test_fr031_sec001_planted_secrets_are_nowhere(lab: Lab) -> None:
    leaks.planted_secrets_are_nowhere(lab, ("signupflow/app:local",))
    leaks.age_file_is_opaque(lab)
