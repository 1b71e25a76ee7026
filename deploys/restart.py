"""Restart the app without a new version: new containers of the same image, host after host, health-gated.

pyinfra inventory.py deploys/restart.py [--dry --diff]

Settings and secrets are delivered as they are now.
"""

from deploys.app import app_image
from deploys.release import monitoring, ready, release
from deploys.release.existing_image import keep_what_serves

keep_what_serves()
ready(kind="restart")
app_image()
release(again=True)
monitoring()
