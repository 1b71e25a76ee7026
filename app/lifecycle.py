"""Where this process is between start and stop."""

import dataclasses
import time


@dataclasses.dataclass
class Lifecycle:
    started: bool = False
    draining: bool = False
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def ready(self) -> bool:
        """Takes traffic: started and not on its way out. A lost database or a full disk, which every instance shares,
        is not part of it, so that it never empties the routing."""
        return self.started and not self.draining

    @property
    def uptime(self) -> int:
        """Whole seconds since the start."""
        return int(time.monotonic() - self.began)
