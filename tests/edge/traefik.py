"""The real Traefik on loopback, with the configuration that deploys render: only its ports and its folder are others."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives import serialization

from deploys import traefik
from lab import images, pki
from lab.network import free_port
from lab.waiting import wait_for
from signupflow.routing import RouteTable, routers
from signupflow.settings.edge import Edge

DOMAIN = "app.lab.invalid"
DIGEST = "@sha256:" + "5e1f" * 16
SETTINGS: dict[str, Any] = {"domains": (DOMAIN,), "acme_email": "a@lab.invalid", "traefik_image": f"traefik:v3{DIGEST}"}


class Traefik:
    """`with Traefik(folder, urls) as edge:` serves what is at `urls` as DOMAIN by HTTPS on 127.0.0.1, `edge.port`."""

    def __init__(self, folder: Path, urls: Sequence[str], response_seconds: int = 15, **settings: Any) -> None:
        self.folder, self.urls, self.response_seconds = folder, urls, response_seconds
        self.settings = Edge(**SETTINGS, **settings)
        self.port, self.http_port, self.api_port = free_port(), free_port(), free_port()

    def __enter__(self) -> Self:
        dynamic = self.folder / "dynamic"
        dynamic.mkdir(parents=True)
        self._certificate()
        (dynamic / "security.yaml").write_text(traefik.security(self.settings))
        (dynamic / "app.yaml").write_text(routers("app", self.settings.domains, self.response_seconds))
        self.route(self.urls)
        static = yaml.safe_load(traefik.static(self.settings))
        for name, port in (("web", self.http_port), ("websecure", self.port), ("traefik", self.api_port)):
            static["entryPoints"][name]["address"] = f"127.0.0.1:{port}"
        static["providers"]["file"]["directory"] = str(dynamic)
        # Never asked: the domain has a certificate of the test's.
        static["certificatesResolvers"]["acme"]["acme"] |= {
            "storage": str(self.folder / "acme.json"),
            "caServer": "https://127.0.0.1:9",
        }
        (self.folder / "traefik.yaml").write_text(yaml.safe_dump(static))
        self._log = (self.folder / "log").open("w")
        command = [str(images.binary("traefik")), f"--configFile={self.folder / 'traefik.yaml'}"]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env={"GOMEMLIMIT": "256MiB"})
        wait_for(lambda: self.api("/ping") is not None, 30, "Traefik does not answer", not_yet=(OSError,))
        self.confirmed()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def route(self, urls: Sequence[str]) -> None:
        self.urls = urls
        self.table = RouteTable().having("web1", 1, urls)
        text = self.table.render("app", "/ready", DOMAIN)
        beside = self.folder / "servers.yaml"
        beside.write_text(text)
        beside.rename(self.folder / "dynamic" / "servers.yaml")

    def confirmed(self) -> None:
        def same() -> bool:
            return self.table.unconfirmed("app", self.api("/api/http/services?per_page=100")) == ""

        wait_for(same, 30, "Traefik does not serve the routes")
        self._settled()

    def _settled(self) -> None:
        """Each of its sources of configuration may make it build all routes anew, and with them what it counts."""
        seen: list[str] = []

        def still() -> bool:
            seen.append(re.search(r"^traefik_config_reloads_total (\S+)", self.api("/metrics"), re.MULTILINE)[1])  # type: ignore[index]
            return len(seen) > 10 and len(set(seen[-10:])) == 1

        wait_for(still, 30, "Traefik's configuration does not come to rest", every=0.1)

    def api(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def memory_mb(self) -> int:
        """The most that it had at once since it started."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def _certificate(self) -> None:
        ca = pki.make_ca("a test's")
        key, certificate = pki.issue(ca, [DOMAIN])
        pem = serialization.Encoding.PEM
        (self.folder / "ca.pem").write_bytes(ca[1].public_bytes(pem))
        (self.folder / "key.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (self.folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
        files = {"certFile": str(self.folder / "certificate.pem"), "keyFile": str(self.folder / "key.pem")}
        (self.folder / "dynamic" / "certificate.yaml").write_text(yaml.safe_dump({"tls": {"certificates": [files]}}))
