"""Promises, and what was measured of them: `pytest --full` (`make prove`) writes docs/evidence/, `make evidence` the page."""
