"""Realistic mixed traffic against a lab's public entry, from a process of its own: see `Traffic`."""

from tests.traffic.control import Traffic
from tests.traffic.report import Record, Report
from tests.traffic.writes import lost_writes

__all__ = ["Record", "Report", "Traffic", "lost_writes"]
