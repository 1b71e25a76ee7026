"""Take one app host out of service without losing a request: out of the routes, drained, stopped.

pyinfra inventory.py deploys/remove_host.py --limit web3.example.org [--dry --diff]

Then remove the host from the inventory and run `deploys/production.py`, which closes PostgreSQL to it.
A host that is lost for good needs only the latter.
"""

from deploys.app import leave
from deploys.release import locked
from deploys.release.existing_image import keep_what_is_there

keep_what_is_there()
locked(reason="remove a host")
leave()
