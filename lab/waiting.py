"""The one way in which the lab, and tests and proofs with it, wait for something to come true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import LabError

T = TypeVar("T")


def wait_for(
    ready: Callable[[], T], seconds: float, otherwise: str, every: float = 0.05, not_yet: tuple[type[Exception], ...] = ()
) -> T:
    """Ask until the answer is true (as `if` takes it), and return it. One that raises an error of `not_yet` is asked again.

    After `seconds`, raise LabError: `otherwise`, and the last of these errors. It is asked once more after the deadline, so that
    a machine that was busy meanwhile is not taken for something that never came.
    """
    deadline = time.monotonic() + seconds
    while True:
        late, last = time.monotonic() >= deadline, None
        try:
            if found := ready():
                return found
        except not_yet as error:
            last = error
        if late:
            raise LabError(f"not within {seconds:.0f} s: {otherwise}" + (f": {last}" if last else "")) from last
        time.sleep(every)
