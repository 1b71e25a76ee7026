"""Take an unfinished release back: every host serves what it served before the run that was cut off.

pyinfra inventory.py deploys/abort.py [--dry]
"""

from deploys.release import abort
from deploys.release.existing_image import keep_what_is_there

keep_what_is_there()
abort()
