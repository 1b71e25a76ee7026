"""Take the deploy lock away from a deployment that will not come back: a controller that is gone, on another machine.

pyinfra inventory.py deploys/lock_release.py [--dry]

A run of the same machine whose process has ended needs nothing: the next run takes its deploy lock over.
"""

from deploys.release import release_lock

release_lock()
