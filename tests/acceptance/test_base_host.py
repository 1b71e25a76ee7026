"""What `deploys/base` promises, asked of the running host and not of the files."""

from __future__ import annotations

import json
import subprocess

import pytest

from lab.client import Lab
from lab.compare import done
from tests.proofs import convergence

pytestmark = pytest.mark.lab


def test_sec002_sshd_takes_keys_only_and_not_root(lab: Lab) -> None:
    effective = dict(line.split(" ", 1) for line in lab.ssh("h1", "sudo sshd -T").splitlines() if " " in line)
    assert effective["passwordauthentication"] == "no"
    assert effective["kbdinteractiveauthentication"] == "no"
    assert effective["permitrootlogin"] == "no"
    assert effective["allowusers"] == "deploy"
    with pytest.raises(RuntimeError, match="Permission denied"):
        lab.ssh("h1", "true", user="root")


def test_sec002_d5_sshd_forwards_nothing(lab: Lab) -> None:
    """Whoever has the deploy login alone asks Traefik's API on the host's loopback, and is not led there."""
    effective = dict(line.split(" ", 1) for line in lab.ssh("h1", "sudo sshd -T").splitlines() if " " in line)
    assert (effective["allowtcpforwarding"], effective["allowstreamlocalforwarding"]) == ("no", "no")
    assert lab.ssh("h1", "curl --silent 127.0.0.1:8099/ping") == "OK"
    *command, host = lab.ssh_command("h1")
    done = subprocess.run([*command, "-W", "127.0.0.1:8099", host], input="", capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "stdio forwarding failed" in done.stderr


def test_sec002_d1_one_address_has_so_many_connections(lab: Lab) -> None:
    rules = lab.ssh("h1", "sudo nft list table inet signupflow")
    assert "tcp dport { 80, 443 } ct state new add @web_clients { ip saddr ct count over 500 } drop" in rules


def test_sec002_unattended_upgrades_take_security_updates_and_never_docker(lab: Lab) -> None:
    shown = lab.ssh("h1", "apt-config dump")
    patterns = [line for line in shown.splitlines() if line.startswith("Unattended-Upgrade::Origins-Pattern:: ")]
    assert len(patterns) == 3, patterns
    assert all("ecurity" in line for line in patterns)
    assert "Unattended-Upgrade::Allowed-Origins:: " not in shown
    assert 'Unattended-Upgrade::Package-Blacklist:: "^docker"' in shown
    assert 'APT::Periodic::Unattended-Upgrade "1"' in shown
    assert (
        lab.ssh("h1", "systemctl is-enabled unattended-upgrades systemd-timesyncd apt-daily-upgrade.timer").split()
        == ["enabled"] * 3
    )


def test_fr020_the_journal_keeps_what_containers_say_within_its_limits(lab: Lab) -> None:
    assert lab.ssh("h1", "sudo docker info --format '{{.LoggingDriver}} {{.LiveRestoreEnabled}}'").strip() == "journald true"
    assert "SystemMaxUse=2G" in lab.ssh("h1", "systemd-analyze cat-config systemd/journald.conf")
    assert lab.https(lab["domains"][0], "/api/v1/events").status == 401
    name = lab.ssh("h1", "sudo docker ps --filter label=org.signupflow.app=signupflow --format '{{.Names}}'").strip()
    assert '"route": "/api/v1/events"' in lab.ssh("h1", f"sudo journalctl -o cat CONTAINER_NAME={name}")


def test_us1_2_everything_comes_back_after_a_reboot_and_the_firewall_first(lab: Lab) -> None:
    """The host restarts; the app serves again by itself, behind the firewall. The second run (test_deploy.py) comes after it."""
    convergence.reboot(lab)
    health = lab.wait_for_health(lab["domains"][0], seconds=90)
    assert health["status"] == "healthy"
    assert "policy drop" in lab.ssh("h1", "sudo nft list table inet signupflow")
    firewall, docker = lab.ssh(
        "h1", "systemctl show --property=ActiveEnterTimestampMonotonic --value signupflow-firewall docker"
    ).split()
    assert int(firewall) < int(docker)


@pytest.mark.long
def test_us1_3_a_dry_run_while_the_database_is_stopped_announces_its_start_only(lab: Lab) -> None:
    """What is not known is not announced: exactly the database's stack, which is what the run then does."""
    lab.ssh("h1", "sudo docker stop --time 30 signupflow-postgres")
    evidence = convergence.dry_run_is_exact(lab)
    assert evidence["announced_and_done"] == 1
    lab.wait_for_health(lab["domains"][0], seconds=30)


@pytest.mark.long
def test_us5_2_an_interruption_is_refused_unless_allowed_by_name(lab: Lab) -> None:
    """A changed memory limit recreates PostgreSQL: the plan says INTERRUPTS, the run refuses, and nothing has changed."""
    changed = ("--data", "postgres_memory=900m")
    before = lab.ssh("h1", "cat /opt/signupflow/postgres/compose.yaml; sudo docker ps -q --no-trunc | sort")
    plan = lab.pyinfra("--dry", *changed, check=False)
    assert plan.returncode == 2, "a dry run says by its exit code that the run would be refused"
    assert plan.stderr.count("INTERRUPTS postgres: its container is recreated (refused unless") == 1, "once"
    refused = lab.pyinfra("-y", *changed, check=False)
    assert refused.returncode == 1
    assert "refused unless --data allow_interrupts=postgres" in refused.stderr
    assert lab.ssh("h1", "cat /opt/signupflow/postgres/compose.yaml; sudo docker ps -q --no-trunc | sort") == before
    lab.pyinfra("-y", *changed, "--data", "allow_interrupts=postgres")
    lab.wait_for_health(lab["domains"][0], seconds=30)
    assert "mem_limit: 900m" in lab.ssh("h1", "cat /opt/signupflow/postgres/compose.yaml")
    lab.pyinfra("-y", "--data", "allow_interrupts=postgres")
    lab.wait_for_health(lab["domains"][0], seconds=30)


@pytest.mark.long
def test_us1_1_a_reload_that_failed_is_repeated_by_the_next_run(lab: Lab) -> None:
    """The file was right before somebody touched it, so its old marker must not pass for the new write."""
    rules = "/opt/signupflow/postgres/config/pg_hba.conf"
    psql = "for file in /usr/bin/psql /usr/lib/postgresql/17/bin/psql"
    inside = "sudo docker exec -u root signupflow-postgres sh -c"
    lab.ssh("h1", f"echo '# touched' | sudo tee -a {rules} >/dev/null")
    lab.ssh("h1", f"{inside} '{psql}; do mv $file $file.aside; done'")
    try:
        failed = [lab.pyinfra("-y", check=False) for _ in range(2)]
    finally:
        lab.ssh("h1", f"{inside} '{psql}; do mv $file.aside $file; done'")
    assert all(run.returncode for run in failed)
    for run in failed:
        last = [line for line in run.stderr.splitlines() if "Starting operation" in line][-1]
        assert "PostgreSQL | Write pg_hba.conf" in last
    repaired = json.loads(lab.pyinfra("-y", "--json").stdout)
    assert {step.operation for step in done(repaired, "success")} == {"PostgreSQL | Write pg_hba.conf"}
    convergence.second_run_changes_nothing(lab)
