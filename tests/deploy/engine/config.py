"""What config.py of the repository does, without its checks of an environment."""

from operations import patches
from operations.output import shape

patches.apply()
shape()
