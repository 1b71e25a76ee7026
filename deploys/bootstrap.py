"""From a rented machine with root's key to the `deploy` login; run once, as root.

pyinfra inventory.py deploys/bootstrap.py --user root
"""

from pyinfra import config

from deploys.environment import environment
from operations import system

config.SUDO = False  # root needs none, and a bare host may not have it yet

system.packages(name="Sudo", names=["sudo"])
system.login(name="Login for deploys", user=environment().deploy_user, keys=environment().deploy_public_keys)
