"""The ledger: who deployed what, from which commit, when, how long it took and how it ended. Its chain is verified.

pyinfra inventory.py deploys/history.py
"""

from deploys.status_report import show_history

show_history()
