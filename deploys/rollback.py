"""Go back to an earlier release: the one before what serves, or a named one. Host after host, with no lost request.

pyinfra inventory.py deploys/rollback.py [--data rollback_to=1.4.0] [--dry --diff]

It is a release of the earlier image with the settings as they are now. When that image cannot run on the present schema it
is refused, and the migration named. `app_image` in group_data still names the newer one: set it to what was gone back to.
"""

from deploys.app import app_image
from deploys.environment import environment
from deploys.release import monitoring, ready, release
from deploys.release.existing_image import go_back
from deploys.schema import schema

go_back(environment().rollback_to)
ready(kind="rollback")
app_image()
schema()
release()
monitoring()
