"""Hosts on this machine that behave like rented servers, and the servers beside them. See docs/LAB.md."""
