"""The deploy user's login alone: exactly the keys in `deploy_public_keys`, as when they rotate.

pyinfra inventory.py deploys/logins.py [--dry --diff]

`signupflow rotate ssh-key` runs this, first with both keys, then with the new one alone.
"""

from deploys.base import login
from deploys.release import locked, worked

locked(reason="rotation of SSH keys", kind="rotation")
login()
worked()
