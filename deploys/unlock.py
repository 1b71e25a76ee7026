"""Take the lease away from a deployment that will not come back: a controller that is gone, on another machine.

pyinfra inventory.py deploys/unlock.py [--dry]

A run of the same machine whose process has ended needs no unlocking: the next run takes its lease over.
"""

from deploys.release import unlock

unlock()
