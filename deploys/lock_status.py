"""Who holds the deploy lock on each host, why, and for how long still.

pyinfra inventory.py deploys/lock_status.py -y
"""

from deploys.status_report import show_lock

show_lock()
