"""Change how many replicas each app host runs, on the image that serves; nothing is lost on the way up or down.

pyinfra inventory.py deploys/scale.py --data app_replicas=4 [--dry --diff]

It stays so through restarts, rotations and rollbacks, until a deploy goes by `app_replicas` in group_data: set it there too.
More hosts: docs/operations/SCALING_GUIDE.md.
"""

from deploys.app import app_image
from deploys.release import monitoring, ready, release
from deploys.release.existing_image import keep_what_serves

keep_what_serves(scaled=False)
ready(kind="scale")
app_image()
release()
monitoring()
