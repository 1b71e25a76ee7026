"""Finish an unfinished release, and nothing else: hosts in order, from the step at which the run was cut off.

pyinfra inventory.py deploys/resume.py [--dry --diff]

`deploys/production.py` does the same after converging everything below the app.
"""

from deploys.app import app_image
from deploys.release import monitoring, ready, release
from deploys.schema import schema

ready()
app_image()
schema()
release()
monitoring()
