"""The open streams of this process. All of it runs on the event loop's thread, so nothing needs a lock."""

import asyncio
import collections
import dataclasses
from collections.abc import Mapping

from app.stream.publish import Change

# A stream costs a socket, a task and a queue: about 30 kB.
MAX_STREAMS = 1000  # of all; one organisation gets half of them
# One person's tabs and devices. Without it one person could take all of them.
MAX_STREAMS_OF_ONE = 20
# What a slow client may be behind before it is told to fetch everything again.
MAX_BEHIND = 64


@dataclasses.dataclass(frozen=True)
class Notice:
    """One server-sent event."""

    event: str
    data: Mapping[str, str | int | None] = dataclasses.field(default_factory=dict)


# Fetch what is shown again: changes may have been missed.
RESYNC = Notice("resync")
# Changes cannot be heard at the moment; a RESYNC follows.
PAUSED = Notice("paused")
# The stream ends because the process does.
BYE = Notice("bye")


class FullError(Exception):
    """No further stream is taken now."""


class Subscription:
    """What one stream still has to send. Bounded: a client that falls behind gets one RESYNC in place of it all."""

    def __init__(self, org_id: str, person_id: str) -> None:
        self.org_id, self.person_id = org_id, person_id
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(MAX_BEHIND)

    def put(self, notice: Notice) -> None:
        overflows = self._queue.full()
        if overflows or notice is RESYNC or notice is BYE:
            while not self._queue.empty():
                self._queue.get_nowait()
        self._queue.put_nowait(RESYNC if overflows and notice is not BYE else notice)

    async def next(self) -> Notice:
        return await self._queue.get()


class Hub:
    """`subscribe` for a stream, `deliver` for a change, `close` when the process stops."""

    def __init__(self, max_streams: int = MAX_STREAMS) -> None:
        self._max_streams = max_streams
        self._subscriptions: collections.defaultdict[str, set[Subscription]] = collections.defaultdict(set)
        self._people: collections.Counter[str] = collections.Counter()
        self.paused = False
        self.closed = False

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._people.total()

    def subscribe(self, org_id: str, person_id: str) -> Subscription:
        """Raises FullError when the process, the organisation or the person has as many streams as may be, or the process stops.

        An organisation may have as many as are still free: half of all when it is alone, and what it leaves is enough for others,
        of which each again leaves half.
        """
        free = self._max_streams - self.open
        if self.closed or len(self._subscriptions.get(org_id, ())) >= free or self._people[person_id] >= MAX_STREAMS_OF_ONE:
            raise FullError
        subscription = Subscription(org_id, person_id)
        self._subscriptions[org_id].add(subscription)
        self._people[person_id] += 1
        return subscription

    def leave(self, subscription: Subscription) -> None:
        streams = self._subscriptions[subscription.org_id]
        streams.discard(subscription)
        if not streams:
            del self._subscriptions[subscription.org_id]
        self._people[subscription.person_id] -= 1
        if not self._people[subscription.person_id]:
            del self._people[subscription.person_id]

    def deliver(self, change: Change) -> None:
        """To the streams of the change's organisation, and to nobody else's."""
        notice = Notice("change", {"event_id": change.event_id, "kind": change.kind, "sign_up_id": change.sign_up_id})
        for subscription in self._subscriptions.get(change.org_id, ()):
            subscription.put(notice)

    def pause(self) -> None:
        """Changes cannot be heard from now on. May be said again."""
        if not self.paused:
            self.paused = True
            self._everybody(PAUSED)

    def resync(self) -> None:
        """Changes are heard from now on; what came before may have been missed."""
        self.paused = False
        self._everybody(RESYNC)

    def close(self) -> None:
        """Every stream says goodbye and ends; no further one opens."""
        self.closed = True
        self._everybody(BYE)

    def _everybody(self, notice: Notice) -> None:
        for streams in self._subscriptions.values():
            for subscription in streams:
                subscription.put(notice)
