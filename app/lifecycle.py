"""Where this process is between start and stop."""

import dataclasses
import time


@dataclasses.dataclass
class Lifecycle:
    started: bool = False
    draining: bool = False
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def status(self) -> str:
        """starting, ready or draining. A lost database or a full disk, which every instance shares, is not part of it,
        so that it never empties the routing."""
        return "draining" if self.draining else "ready" if self.started else "starting"

    @property
    def uptime(self) -> int:
        """Whole seconds since the start."""
        return int(time.monotonic() - self.began)
