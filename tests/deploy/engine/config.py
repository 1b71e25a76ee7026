"""What config.py of the repository does, without its checks of an environment."""

from operations import patches

patches.apply()
