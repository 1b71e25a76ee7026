"""The sending process, started by `Traffic`. Reads its settings (one line of JSON) and later `stop` from standard input, and
ends at once, with nothing said, when that is closed: whoever started it is gone. Prints a line when traffic flows, and at
the end one with all that was measured."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from pathlib import Path

from tests.traffic.sender import Sender, Settings

# Clients have machines of their own. This one shares its with all servers and the controller, so what it needs (a fifth of a
# core) it gets first: otherwise what is measured is how long it waited to be let run. Scheduling weight, as nice(2) has it.
PRIORITY = -10

# Until every kind of request was answered well once; otherwise it says what went wrong.
FLOW_SECONDS = 30.0


async def main() -> None:
    commands = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    sender = Sender(Settings(**json.loads(await commands.readline())))
    stop = asyncio.Event()
    listening = asyncio.create_task(_obey(commands, stop))
    announcing = asyncio.create_task(_announce(sender, stop))
    in_time = await sender.run(stop)
    listening.cancel()
    announcing.cancel()
    _say(
        seconds=round(time.monotonic() - sender.began, 3),
        records=sender.records,
        writes=sender.writes,
        cpu=sender.cpu,
        cut_short=not in_time,
    )


async def _obey(commands: asyncio.StreamReader, stop: asyncio.Event) -> None:
    if not await commands.readline():
        os._exit(1)
    stop.set()
    if not await commands.readline():
        os._exit(1)


async def _announce(sender: Sender, stop: asyncio.Event) -> None:
    deadline = time.monotonic() + FLOW_SECONDS
    while not sender.flows and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    flows = sender.flows
    _say(flows=flows, began=sender.began)
    if not flows:
        stop.set()


def _go_first() -> None:
    """Weigh more than others: among its session's processes, and its session among all (sched(7), autogroup). As root only."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        Path("/proc/self/autogroup").write_text(str(PRIORITY))


def _say(**what: object) -> None:
    print(json.dumps(what, separators=(",", ":")), flush=True)


if __name__ == "__main__":
    _go_first()
    # Records are kept to the end: going through all of them, again and again, would only make requests late.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    asyncio.run(main())
