"""The sink as a process of its own on loopback, as it runs in its container."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from lab.images import SINK
from lab.network import free_port
from lab.waiting import wait_for


class Sink:
    """Started on free ports, with its messages under `data`."""

    def __init__(self, data: Path) -> None:
        self.smtp, self.http = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http}"
        settings = {"SINK_DATA": data, "SINK_SMTP_PORT": self.smtp, "SINK_HTTP_PORT": self.http, "SINK_HOST": "127.0.0.1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab.sink.server"],
            cwd=SINK.parent.parent,
            env={**os.environ, **{key: str(value) for key, value in settings.items()}},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.answers, 15, "the sink does not answer")

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def messages(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/messages", params=query, trust_env=False).json()
        return found

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(5)
