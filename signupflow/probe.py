"""Steady requests through the public entry while a release runs, counted: the evidence behind "0 failed of N".

python -m signupflow.probe --address 203.0.113.10 --domain signupflow.example.org --path /health/live --rate 5

A process of its own, so that a busy controller does not distort it. It prints a line of JSON each second, with what it counted
so far, and ends when its standard input does, with a last one in which `whole` is true. Half of the requests use a connection
that is kept, half a new one; none is repeated.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import ssl
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

import click

# How long one request may take, in seconds, before it counts as failed.
TIMEOUT = 10.0
WORKERS = 8
TELL_SECONDS = 1.0
KEPT_FAILURES = 10


@dataclass
class Counted:
    """What became of the requests. `connection` failed before a whole answer came, `http` were answered 500 or more.

    An answer below 500 is an answer: a page that is not found, or asks for a sign-in, is served. Times in milliseconds.
    """

    sent: int = 0
    failed: int = 0
    connection: int = 0
    http: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.sent:,} requests, {self.failed} failed ({self.connection} without an answer, {self.http} with 5xx)"


def summary(times: list[float], connection: list[str], answers: list[str]) -> Counted:
    """Count outcomes; `times` are milliseconds of all requests, the others say what failed."""
    ordered = sorted(times)
    return Counted(
        sent=len(ordered),
        failed=len(connection) + len(answers),
        connection=len(connection),
        http=len(answers),
        p50_ms=round(ordered[len(ordered) // 2], 1) if ordered else 0.0,
        p99_ms=round(ordered[int(len(ordered) * 0.99)], 1) if ordered else 0.0,
        failures=(connection + answers)[:KEPT_FAILURES],
    )


def context(ca_file: str) -> ssl.SSLContext:
    """Trusts the system's authorities, or those of one file and nobody else."""
    return ssl.create_default_context(cafile=ca_file or None)


@dataclass(frozen=True)
class Entry:
    """The public entry: the edge's address, and one of its domains."""

    address: str
    domain: str
    ca_file: str = ""

    def connect(self, timeout: float = TIMEOUT) -> http.client.HTTPConnection:
        """A new TLS connection, its certificate verified for the domain."""
        connection = http.client.HTTPSConnection(self.domain, timeout=timeout)
        raw = socket.create_connection((self.address, 443), timeout)
        try:
            connection.sock = context(self.ca_file).wrap_socket(raw, server_hostname=self.domain)
        except OSError:
            raw.close()
            raise
        return connection

    def certificate_seconds(self, timeout: float = TIMEOUT) -> float:
        """How long its certificate, which is verified, stays good. Raises OSError."""
        connection = self.connect(timeout)
        try:
            assert isinstance(connection.sock, ssl.SSLSocket)
            found = connection.sock.getpeercert()
            assert found
            return ssl.cert_time_to_seconds(str(found["notAfter"])) - time.time()
        finally:
            connection.close()


def ask(entry: Entry, path: str, timeout: float = TIMEOUT) -> tuple[int, str]:
    """One GET: status and body; raises OSError or HTTPException when there is no answer."""
    connection = entry.connect(timeout)
    try:
        return _get(connection, path)
    finally:
        connection.close()


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path, headers={"User-Agent": "signupflow-probe"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace")


class Probe:
    """Sends `rate` requests a second until `stop`; late ones are sent as soon as a worker is free."""

    def __init__(self, entry: Entry, path: str, rate: float) -> None:
        self._entry, self._path, self._rate = entry, path, rate
        self._due: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._connection: list[str] = []
        self._answers: list[str] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]

    def run(self) -> Counted:
        """Blocks until `stop` is called, from another thread."""
        for thread in self._threads:
            thread.start()
        began, number = time.monotonic(), 0
        while not self._stopped.wait(max(0.0, began + number / self._rate - time.monotonic())):
            self._due.put(number % 2 == 0)
            number += 1
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join(2 * TIMEOUT)
        return self.counted()

    def counted(self) -> Counted:
        """What came of the requests that have ended so far."""
        with self._lock:
            return summary(self._times, self._connection, self._answers)

    def wait(self, seconds: float) -> bool:
        """Whether it was stopped within that time."""
        return self._stopped.wait(seconds)

    def stop(self) -> None:
        self._stopped.set()

    def _work(self) -> None:
        kept: http.client.HTTPConnection | None = None
        while (keep := self._due.get()) is not None:
            if self._stopped.is_set():
                # What piled up while nothing answered is not sent after the end: nobody would wait for its count.
                continue
            started, failure, into = time.monotonic(), "", self._answers
            used: http.client.HTTPConnection | None = None
            try:
                used = kept if keep and kept is not None else self._entry.connect()
                status, _ = _get(used, self._path)
                failure = f"{status}" if status >= 500 else ""
            except (OSError, http.client.HTTPException) as error:
                failure, into = f"{type(error).__name__}: {error}", self._connection
            with self._lock:
                self._times.append((time.monotonic() - started) * 1000)
                if failure:
                    into.append(f"{time.strftime('%H:%M:%S')} {failure}"[:200])
            broken = bool(failure) and into is self._connection
            if keep and not broken:
                kept = used
            elif used is not None:
                used.close()
                kept = None if used is kept else kept


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--address", required=True, help="The edge's address.")
@click.option("--domain", required=True, help="A domain that it serves.")
@click.option("--path", default="/", show_default=True, help="What to GET.")
@click.option("--rate", type=float, default=5.0, show_default=True, help="Requests a second.")
@click.option("--ca-file", default="", help="PEM to trust instead of the system's authorities.")
def main(address: str, domain: str, path: str, rate: float, ca_file: str) -> None:
    """Count answers of the public entry until standard input ends; then print JSON."""
    probe = Probe(Entry(address, domain, ca_file), path, rate)

    def until_the_end_of_input() -> None:
        sys.stdin.read()
        probe.stop()

    def tell() -> None:
        while not probe.wait(TELL_SECONDS):
            _say(probe.counted(), whole=False)

    for job in (until_the_end_of_input, tell):
        threading.Thread(target=job, daemon=True).start()
    _say(probe.run(), whole=True)


def _say(counted: Counted, whole: bool) -> None:
    click.echo(json.dumps({**asdict(counted), "whole": whole}))


if __name__ == "__main__":
    main()
