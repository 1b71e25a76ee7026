"""From a rented machine with root's key (or a login with sudo) to the `deploy` login; run once.

pyinfra inventory.py deploys/bootstrap.py --user root
"""

from pyinfra import config, host

from deploys import ownership
from deploys.base import check_login
from deploys.environment import environment
from operations import system

# Root needs none, and a bare host may not have it yet; `--user ubuntu`, as many clouds have it, does.
config.SUDO = host.data.ssh_user not in (None, "root")

ownership.check()
check_login()
system.packages(name="Install sudo", names=["sudo"])
system.login(name="Create the deploy login", user=environment().deploy_user, keys=environment().deploy_public_keys)
