"""The preflight alone, for every host: what a release would be refused for. Changes nothing.

pyinfra inventory.py deploys/doctor.py -y
"""

from deploys.app import serving
from deploys.release import asked
from deploys.release.existing_image import one_release

one_release()
asked(replacing=bool(serving().hosts))
