"""What a running lab must do; it is started when it is not there."""

import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import dns.resolver
import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.lab


def command(lab: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    name, *rest = words
    argv = [sys.executable, "-m", "lab", name, "--name", lab["name"], *rest]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def on_host(lab: dict[str, Any], script: str) -> str:
    done = command(lab, "exec", "h1", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_status_names_every_host_and_its_state(lab: dict[str, Any]) -> None:
    status = json.loads(command(lab, "status", "--json").stdout)
    assert [(host["name"], host["address"]) for host in status["hosts"]] == [
        (host["fqdn"], host["address"]) for host in lab["hosts"]
    ]
    assert {row["state"] for row in status["hosts"] + status["servers"]} == {"running"}


def test_up_again_is_warm_and_keeps_the_host(lab: dict[str, Any]) -> None:
    before = on_host(lab, "stat -c %Y /proc/1")
    done = command(lab, "up")
    assert done.returncode == 0, done.stderr
    assert "warm" in done.stderr.splitlines()[-1]
    assert on_host(lab, "stat -c %Y /proc/1") == before


def test_a_host_is_a_systemd_machine_that_has_booted(lab: dict[str, Any]) -> None:
    assert on_host(lab, "cat /proc/1/comm") == "systemd"
    assert on_host(lab, "systemctl is-active ssh.service") == "active"


def test_ssh_logs_in_with_the_hosts_key_checked(lab: dict[str, Any]) -> None:
    done = command(lab, "ssh", "h1", "hostname")
    assert (done.returncode, done.stdout) == (0, "h1\n"), done.stderr


def test_hosts_reach_the_package_archive_by_name(lab: dict[str, Any]) -> None:
    """The archive is asked for its index, without apt's lock, which the host's own timers may hold."""
    uri = on_host(lab, "grep -rhoE 'https?://[^ ]+' /etc/apt/sources.list /etc/apt/sources.list.d | head -1").rstrip("/")
    index = f"{uri}/dists/$(. /etc/os-release; echo $VERSION_CODENAME)/InRelease"
    assert on_host(lab, f"curl --silent --fail --head --max-time 20 {index} >/dev/null && echo yes") == "yes"


def test_dns_answers_the_labs_names_and_denies_others(lab: dict[str, Any]) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [lab["dns"]]
    for name in [*lab["domains"], lab["hosts"][0]["fqdn"]]:
        assert [str(answer) for answer in resolver.resolve(name, "A")] == [lab["hosts"][0]["address"]]
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve(f"nothing.{lab['zone']}", "A")


def test_the_registry_serves_the_ordinary_images_by_digest(lab: dict[str, Any]) -> None:
    for image in (lab["traefik_image"], lab["postgres_image"]):
        name, _, digest = image.partition("@")
        url = f"{lab['registry_mirror']}/v2/library/{name.split(':')[0]}/manifests/{digest}"
        accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"}
        assert httpx.head(url, headers=accept, trust_env=False).status_code == 200


def test_the_acme_servers_certificate_is_the_labs(lab: dict[str, Any]) -> None:
    context = ssl.create_default_context(cafile=lab["acme_ca_file"])
    directory = f"https://{lab['acme_management'].split('//')[1].split(':')[0]}:14000/dir"
    assert "newOrder" in httpx.get(directory, verify=context, trust_env=False).json()
    root = httpx.get(f"{lab['acme_management']}/roots/0", verify=context, trust_env=False).text
    assert Path(lab["ca_file"]).read_text() == root


def test_s3_takes_objects_over_tls(lab: dict[str, Any]) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=lab["s3_endpoint_local"],
        aws_access_key_id=lab["s3_access_key"],
        aws_secret_access_key=lab["s3_secret_key"],
        region_name=lab["s3_region"],
        verify=lab["s3_ca_file"],
    )
    s3.put_object(Bucket=lab["s3_bucket"], Key="lab-test/object", Body=b"hello")
    try:
        assert s3.get_object(Bucket=lab["s3_bucket"], Key="lab-test/object")["Body"].read() == b"hello"
    finally:
        s3.delete_object(Bucket=lab["s3_bucket"], Key="lab-test/object")
        s3.close()


def test_ports_are_published_on_loopback_only(lab: dict[str, Any]) -> None:
    ids = subprocess.run(
        ["docker", "ps", "-q", "--filter", f"label=signupflow.lab={lab['name']}"], capture_output=True, text=True, check=True
    ).stdout.split()
    bindings = json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True).stdout)
    addresses = {
        binding["HostIp"]
        for container in bindings
        for bound in (container["HostConfig"]["PortBindings"] or {}).values()
        for binding in bound
    }
    assert addresses == {"127.0.0.1"}
