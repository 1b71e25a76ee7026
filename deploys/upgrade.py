"""Bring Traefik, PostgreSQL or the Docker Engine up to date: host by host, each interruption declared, counted and short.

pyinfra inventory.py deploys/upgrade.py --data upgrade=docker [--dry --diff]

Traefik's and PostgreSQL's new images are what group_data names (`traefik_image`, `postgres_image`); Docker's packages are what
the distribution has. Containers go on while Docker restarts; Traefik's and PostgreSQL's are recreated.
"""

from deploys.environment import environment, refuse
from deploys.release import locked, worked
from deploys.upgrades import upgrade

what = environment().upgrade
if not what:
    refuse("say --data upgrade=traefik, --data upgrade=postgres or --data upgrade=docker")
locked(reason=f"upgrade {what}", kind="upgrade")
upgrade(what=what)
worked()
