"""One screen: hosts, what serves where, health, certificates, the deploy lock, the last deployments. Changes nothing.

pyinfra inventory.py deploys/status.py
"""

from deploys.status_report import show_status

show_status()
