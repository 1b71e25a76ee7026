"""One screen: hosts, what serves where, health, certificates, the lease, the last deployments. Changes nothing.

pyinfra inventory.py deploys/status.py
"""

from deploys.screens import show_status

show_status()
