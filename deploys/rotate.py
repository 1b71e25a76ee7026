"""Deliver secrets that changed, without a new version: database roles, backup keys, then new containers, host after host.

pyinfra inventory.py deploys/rotate.py [--dry --diff]

`signupflow rotate database` and `signupflow rotate jwt` change the secrets file step by step and run this after each.
"""

from deploys.app import app_image
from deploys.backups import keys
from deploys.postgres import roles
from deploys.release import monitoring, ready, release
from deploys.release.existing_image import keep_database_image, keep_what_serves
from deploys.schema import schema

keep_what_serves()
keep_database_image()
ready(kind="rotation")
app_image()
roles()
keys()
schema()
release()
monitoring()
