"""The probe of a run is none of its terminal's."""

from __future__ import annotations

import os

from operations.probing import SteadyProbe
from signupflow.probe import Entry


def test_a29_ctrl_c_is_not_the_probe_s() -> None:
    """A terminal sends it to its whole foreground group; the probe goes on until the run ends it."""
    probe = SteadyProbe(Entry("127.0.0.1", "nobody.invalid"), "/", 1)
    try:
        assert os.getpgid(probe._process.pid) != os.getpgid(0)
    finally:
        probe.finish()
    assert probe._process.returncode is not None
