"""The HTTP side of a stream: server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.errors import error_response
from app.identifiers import uuid7
from app.stream.hub import BYE, PAUSED, RESYNC, FullError, Hub, Notice, Subscription

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
# How often it is asked whether the person may still listen (their access may have been taken away).
CHECK_SECONDS = 60.0
# A client that takes nothing for so long is gone.
SEND_SECONDS = 30.0
# Milliseconds before the browser connects again; spread, so that a restart does not bring all of them back at once.
RETRY_MILLISECONDS = (1000, 3000)

# Whether the person may still listen. Never raises.
Allowed = Callable[[], Awaitable[bool]]

# The first event of a new stream: from here on it is complete.
READY = Notice("ready")


class EventStream(Response):
    """Sends the changes of `org_id` until the client goes, the token ends (`expires_at`, Unix time), the person loses their
    access, or the process stops. Holds no database connection. 503 when there are too many streams."""

    def __init__(
        self, hub: Hub, org_id: str, person_id: str, expires_at: float, allowed: Allowed, last_event_id: str | None
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Type": f"{MEDIA_TYPE}; charset=utf-8"}
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._hub, self._org_id, self._person_id = hub, org_id, person_id
        self._expires_at, self._allowed = expires_at, allowed
        # Nothing is kept to be repeated: who comes back is told to fetch everything, which is always right.
        self._first = RESYNC if last_event_id else READY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            subscription = self._hub.subscribe(self._org_id, self._person_id)
        except FullError:
            retry_after = str(random.randint(5, 15))  # noqa: S311 - no secret
            await error_response(503, "rate_limited", {"Retry-After": retry_after})(scope, receive, send)
            return
        sending = asyncio.ensure_future(self._send_all(subscription, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(subscription)
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if not sending.cancelled():
            sending.result()

    async def _send_all(self, subscription: Subscription, send: Send) -> None:
        async def write(text: str, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await write(f"retry: {_retry()}\n{_event(self._first)}{_event(PAUSED) if self._hub.paused else ''}")
        async for text in self._texts(subscription):
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await write(text)
            except TimeoutError:
                return
        await write("", more=False)

    async def _texts(self, subscription: Subscription) -> AsyncIterator[str]:
        next_check = time.monotonic() + CHECK_SECONDS
        while (left := self._expires_at - time.time()) > 0:
            try:
                async with asyncio.timeout(min(HEARTBEAT_SECONDS, left)):
                    notice = await subscription.next()
            except TimeoutError:
                yield ": \n\n"
            else:
                if notice is BYE:
                    yield f"retry: {_retry()}\n{_event(notice)}"
                    return
                yield _event(notice)
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + CHECK_SECONDS
                if not await self._allowed():
                    return


def _event(notice: Notice) -> str:
    return f"id: {uuid7()}\nevent: {notice.event}\ndata: {json.dumps(notice.data, separators=(',', ':'))}\n\n"


def _retry() -> int:
    return random.randint(*RETRY_MILLISECONDS)  # noqa: S311 - no secret


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
