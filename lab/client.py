"""A running lab as the demo, the tests and the proofs use it: its names, SSH, HTTPS through its CA, pyinfra."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from lab.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent
# In life the controller is another machine: here it gets the processor when the servers leave it (sched(7), autogroup).
POLITELY = ("setsid", "--wait", "sh", "-c", 'echo 19 > /proc/self/autogroup; exec nice -n 19 "$@"', "sh")
PYINFRA = str(Path(sys.executable).with_name("pyinfra"))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Lab(dict[str, Any]):
    """`lab env --json`, and what one does with it."""

    @classmethod
    def running(cls, name: str | None = None) -> Lab:
        """The lab that is up, or an error that says how to start it."""
        arguments = ["--name", name] if name else []
        command = [sys.executable, "-m", "lab", "env", "--json", *arguments]
        return cls(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout))

    @property
    def first_output(self) -> Path:
        """Where the output of the first deploy is kept: the one that delivers every secret."""
        return Path(self["inventory"]).with_name("first-deploy.log")

    def address(self, host: str = "h1") -> str:
        found: str = next(item["address"] for item in self["hosts"] if item["name"] == host)
        return found

    def holding(self, role: str) -> list[str]:
        """Names of the hosts that have a role, in the inventory's order."""
        return [item["name"] for item in self["hosts"] if role in item["roles"]]

    def the(self, role: str) -> str:
        """The one host that has a role."""
        (name,) = self.holding(role)
        return name

    def person(self) -> dict[str, str]:
        """Variables by which programs find the ~/.ssh/config of somebody who has such hosts; none where it is empty."""
        config = Path(self["ssh_config"])
        if not config.read_text().strip():
            return {}
        folder = config.parents[2]
        return {"HOME": str(folder / "home"), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}

    def resolve(self, domain: str) -> str:
        """curl's --resolve argument for a domain."""
        return f"{domain}:443:{self.address()}"

    def ssh_command(self, host: str, user: str = "deploy") -> list[str]:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self["known_hosts"],
        }
        flags = [flag for key, value in options.items() for flag in ("-o", f"{key}={value}")]
        return ["ssh", "-F", self["ssh_config"], *flags, "-i", self["ssh_key"], f"{user}@{self.address(host)}"]

    def ssh(self, host: str, command: str, user: str = "deploy", stdin: str | None = None) -> str:
        """Run a command on a host and return its standard output; raise when it fails."""
        done = subprocess.run(
            [*self.ssh_command(host, user), command], input=stdin, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command!r} on {host} exited {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def given(self) -> dict[str, str]:
        """What a provider would give an operator, as `scripts/secrets.py init` takes it: the bucket's keys and a webhook."""
        webhook = f"http://{self['smtp_host']}:8080/webhook"
        return {"S3_ACCESS_KEY": self["s3_access_key"], "S3_SECRET_KEY": self["s3_secret_key"], "NOTIFY_WEBHOOK_URL": webhook}

    def make_secrets(self) -> None:
        """The lab's secrets file, unless it is there."""
        if Path(self["secrets_file"]).exists():
            return
        files = ("--file", self["secrets_file"], "--key", self["age_key_file"])
        command = [sys.executable, "scripts/secrets.py", "init", "lab", *files]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **self.given()}, check=True, capture_output=True)

    def not_bootstrapped(self) -> list[str]:
        """`--limit` options for the hosts that have no deploy login yet; root's door is closed on the others."""
        return [word for host in self["hosts"] if not self.deploy_login_works(host["name"]) for word in ("--limit", host["fqdn"])]

    def deploy_login_works(self, host: str = "h1") -> bool:
        done = subprocess.run([*self.ssh_command(host), "sudo", "-n", "true"], capture_output=True, check=False)
        return done.returncode == 0

    def tls(self) -> ssl.SSLContext:
        """A context that trusts the lab's CA and nothing else."""
        return ssl.create_default_context(cafile=self["ca_file"])

    def https(
        self, domain: str, path: str = "/", method: str = "GET", body: Any = None, token: str = "", timeout: float = 12
    ) -> Answer:
        """One HTTPS request to a domain at the first host's address, its certificate verified against the lab's CA."""
        connection = HTTPSConnection(domain, timeout=timeout, context=self.tls())
        raw = socket.create_connection((self.address(), 443), timeout)
        connection.sock = self.tls().wrap_socket(raw, server_hostname=domain)
        return _exchange(connection, domain, path, method, body, token)

    def http(self, domain: str, path: str = "/") -> Answer:
        """One request in clear to port 80 of the first host."""
        return _exchange(HTTPConnection(self.address(), 80, timeout=5), domain, path, "GET", None, "")

    def wait_for_health(self, domain: str, seconds: float) -> dict[str, Any]:
        """Poll /health until it is healthy; raise with the last reason after the deadline."""

        def healthy() -> dict[str, Any]:
            answer = self.https(domain, "/health")
            if answer.status != 200:
                raise HTTPException(f"{answer.status} {answer.body[:200]!r}")
            found: dict[str, Any] = answer.json()
            return found

        said = f"https://{domain}/health is not healthy"
        return wait_for(healthy, seconds, said, every=0.2, not_yet=(OSError, HTTPException))

    def certificate(self, domain: str) -> dict[str, Any]:
        """The certificate that the edge serves for a domain, verified, as `ssl` describes it."""
        with (
            socket.create_connection((self.address(), 443), 5) as raw,
            self.tls().wrap_socket(raw, server_hostname=domain) as wrapped,
        ):
            found = wrapped.getpeercert()
        assert found
        return dict(found)

    def pyinfra(
        self,
        *arguments: str,
        deploy: str = "deploys/production.py",
        inventory: str = "",
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        politely: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run pyinfra as an operator would, from the repository's root; `politely` where what is served meanwhile is timed."""
        command = [*(POLITELY if politely else ()), PYINFRA, inventory or self["inventory"], deploy, *arguments]
        variables = {**os.environ, **self.person(), **(environment or {})}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, errors="replace", check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)} exited {done.returncode}:\n{done.stderr[-4000:]}")
        return done


def _exchange(connection: HTTPConnection, domain: str, path: str, method: str, body: Any, token: str) -> Answer:
    headers = {"Host": domain}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()
