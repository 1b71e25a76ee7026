"""pyinfra reads this before the inventory and before any connection: what is refused, is refused here."""

from pyinfra import config

from deploys.preflight import check
from operations import patches
from operations.output import shape

config.SUDO = True

patches.apply()
shape()
check()
