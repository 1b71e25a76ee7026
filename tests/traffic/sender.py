"""Sends the traffic: every request leaves on schedule, whether or not earlier ones were answered, and none twice."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.traffic import http1, http2, mix
from tests.traffic.report import DOWNLOAD, HTTP, SLOW
from tests.traffic.streams import Stream
from tests.traffic.wire import Answer, Lost, Request, Take, Target

SHORT_SECONDS, SLOW_SECONDS, DOWNLOAD_SECONDS = 15.0, 20.0, 60.0
# Seconds between two.
EVERY_SLOW, EVERY_DOWNLOAD = 1.0, 5.0
DOWNLOAD_PACE = 10_000_000.0
CPU_SAMPLE_SECONDS = 1.0

IDENTIFIER = re.compile(rb'"id":\s*"([A-Za-z0-9_-]+)"')


@dataclass(frozen=True)
class Settings:
    """`rate`: short requests a second. `tokens`: of at least two organisations. `seconds`: it ends by itself then."""

    address: str
    domain: str
    ca_file: str
    rate: float
    seconds: float
    faults: bool
    streams: int
    tokens: list[str]


class Sender:
    """`began` is time.monotonic(), which all processes of a machine share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        target = Target(settings.address, settings.domain, settings.ca_file)
        self._http1, self._http2 = http1.Client(target), http2.Client(target)
        self.began = 0.0
        # As Report.of wants them.
        self.records: list[tuple[float, float, float, str, str]] = []
        self.writes: list[tuple[float, str]] = []
        self.cpu: list[tuple[float, float]] = []
        self._good: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._streams = [
            Stream(mix.stream(settings.tokens[number % len(settings.tokens)]), self._opener(number), self._stream_counted)
            for number in range(settings.streams)
        ]

    @property
    def flows(self) -> bool:
        """Whether each kind of short request was answered as it should be, and all streams are open."""
        return self._good.issuperset(mix.KINDS) and all(stream.is_open for stream in self._streams)

    async def run(self, stop: asyncio.Event) -> bool:
        """Until `stop`, or its time is over; then what is under way is waited for. Whether it was stopped in time."""
        self.began = time.monotonic()
        schedules = [
            self._every(1 / self.settings.rate, self._short),
            self._sample_cpu(),
            *(item.run() for item in self._streams),
        ]
        if self.settings.faults:
            schedules += [self._every(EVERY_SLOW, self._slow), self._every(EVERY_DOWNLOAD, self._download)]
        tasks = [asyncio.create_task(schedule) for schedule in schedules]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, *tasks}, timeout=self.settings.seconds, return_when=asyncio.FIRST_COMPLETED)
        in_time = stopping.done()
        for task in tasks:
            if task.done():
                # None ends by itself but by an error of this program.
                task.result()
            task.cancel()
        stopping.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._under_way)
        return in_time

    async def _every(self, seconds: float, begin: Callable[[int, float], Coroutine[Any, Any, None]]) -> None:
        number = 0
        while True:
            due = self.began + number * seconds
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(begin(number, due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            number += 1

    async def _short(self, number: int, due: float) -> None:
        connection, question, request = mix.short(number, self.settings.tokens)
        ask = {"keepalive": self._http1.ask, "fresh": self._http1.ask_once, "h2": self._http2.ask}[connection]
        fault = self._remember if question == "post" else _none
        await self._counted(f"{connection}-{question}", due, SHORT_SECONDS, lambda: ask(request), fault)

    async def _slow(self, number: int, due: float) -> None:
        ask = self._http2.ask if number % 2 else self._http1.ask
        await self._counted(SLOW, due, SLOW_SECONDS, lambda: ask(mix.SLOW), _none)

    async def _download(self, _: int, due: float) -> None:
        size, whole = 0, mix.DOWNLOAD_MEGABYTES * 1024 * 1024

        def take(piece: bytes) -> None:
            nonlocal size
            size += len(piece)

        def fault(_: Answer) -> str:
            return "" if size == whole else f"incomplete: {size} of {whole} bytes"

        await self._counted(
            DOWNLOAD, due, DOWNLOAD_SECONDS, lambda: self._http1.ask_once(mix.DOWNLOAD, take, DOWNLOAD_PACE), fault
        )

    def _remember(self, answer: Answer) -> str:
        found = IDENTIFIER.search(answer.body)
        if not found:
            return f"protocol: {answer.status} without an id"
        self.writes.append((round(time.monotonic() - self.began, 3), found[1].decode()))
        return ""

    async def _counted(
        self,
        kind: str,
        due: float,
        seconds: float,
        ask: Callable[[], Coroutine[Any, Any, Answer]],
        fault: Callable[[Answer], str],
    ) -> None:
        """Ask once. `fault` says what is wrong with a 2xx answer, empty when nothing is."""
        sent = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                answer = await ask()
        except Lost as lost:
            error = str(lost)
        except TimeoutError:
            error = f"timeout: after {seconds:.0f} s"
        else:
            good = 200 <= answer.status < 300
            error = fault(answer) if good else f"{HTTP}: {answer.status} {answer.body[:100]!r}"
        self._record(kind, sent, time.monotonic(), sent - due, error)

    def _record(self, kind: str, sent: float, ended: float, late: float, error: str) -> None:
        if not error:
            self._good.add(kind)
        values = (round(sent - self.began, 3), round((ended - sent) * 1000, 2), round(late * 1000, 2), kind, error)
        self.records.append(values)

    def _opener(self, number: int) -> Callable[[Request, Take], Coroutine[Any, Any, Answer]]:
        return self._http2.ask if number % 2 else self._http1.ask_once

    def _stream_counted(self, kind: str, sent: float, error: str) -> None:
        self._record(kind, sent, time.monotonic(), 0.0, error)

    async def _sample_cpu(self) -> None:
        while True:
            self.cpu.append((round(time.monotonic() - self.began, 3), round(time.process_time(), 3)))
            await asyncio.sleep(CPU_SAMPLE_SECONDS)


def _none(_: Answer) -> str:
    return ""
