"""How much one client may ask for: token buckets in this process's memory.

Each replica counts for itself, so a client that the proxy spreads over n replicas may have n times as much; the limits
keep one client from starving the others and make guessing passwords slow, they are no accounting. The client is the
address that our own proxies vouch for (app.client_address); an IPv6 client is its /64, for it can use any address in it.
"""

import collections
import contextlib
import hashlib
import ipaddress
import math
import threading
import time
from collections.abc import Callable, Iterator

from app.errors import ApiError
from app.request_context import current
from app.settings import Settings

# Addresses (or accounts) remembered at once, about 3 MB. Who asked longest ago is forgotten first, and starts anew.
MOST_KEYS = 10_000

Clock = Callable[[], float]


class Buckets:
    """A bucket of `burst` tokens for each key, refilled with `rate` tokens a second."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._lock = threading.Lock()
        # Tokens at a moment. A key that is not here has a full bucket.
        self._kept: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def take(self, key: str) -> float:
        """Takes one token: 0.0, or takes none: the seconds until there is one."""
        with self._lock:
            tokens = self._tokens(key)
            if tokens < 1:
                return (1 - tokens) / self._rate
            self._keep(key, tokens - 1)
            return 0.0

    def give_back(self, key: str) -> None:
        with self._lock:
            self._keep(key, min(self._burst, self._tokens(key) + 1))

    def __len__(self) -> int:
        return len(self._kept)

    def _tokens(self, key: str) -> float:
        now = self._clock()
        tokens, since = self._kept.get(key, (float(self._burst), now))
        return min(self._burst, tokens + (now - since) * self._rate)

    def _keep(self, key: str, tokens: float) -> None:
        self._kept[key] = (tokens, self._clock())
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEYS:
            self._kept.popitem(last=False)


class RateLimits:
    """One for each application object. Refusals are ApiErrors: 429 `rate_limited` with Retry-After."""

    def __init__(self, settings: Settings, clock: Clock = time.monotonic) -> None:
        per_minute = settings.sign_in_limit_per_minute
        self._requests = _buckets(settings.rate_limit_per_second, settings.rate_limit_burst, clock)
        self._attempts = _buckets(per_minute / 60, per_minute, clock)
        self._failures = _buckets(per_minute / 60, per_minute, clock)

    def request(self, client: str) -> None:
        """Counts a request, whatever it is for."""
        _refuse(self._requests, client_key(client))

    def attempt(self) -> None:
        """Counts the current request as an attempt at something that takes a password or a token."""
        context = current.get()
        _refuse(self._attempts, client_key(context.client if context else ""))

    @contextlib.contextmanager
    def guess(self, organization: str, email: str) -> Iterator[None]:
        """Around checking somebody's password: an ApiError 401 raised inside counts against the account, so that many
        addresses together cannot guess at one. Somebody else's failures make the right password wait, too."""
        digest = hashlib.sha256(f"{organization}\0{email.lower()}".encode("utf-8", "surrogatepass"))
        key = digest.hexdigest()
        _refuse(self._failures, key)
        failed = False
        try:
            yield
        except ApiError as error:
            failed = error.status == 401
            raise
        finally:
            if self._failures is not None and not failed:
                self._failures.give_back(key)


def client_key(client: str) -> str:
    """What counts as one client."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def _buckets(rate: float, burst: int, clock: Clock) -> Buckets | None:
    return Buckets(rate, burst, clock) if rate else None


def _refuse(buckets: Buckets | None, key: str) -> None:
    wait = buckets.take(key) if buckets is not None else 0.0
    if wait:
        raise ApiError(429, "rate_limited", {"Retry-After": str(math.ceil(wait))})
