"""Put a maintenance page before the app (503, Retry-After, health still visible), or take it away.

pyinfra inventory.py deploys/maintenance.py --data maintenance=on --data reason="moving the database" [--dry --diff]
pyinfra inventory.py deploys/maintenance.py --data maintenance=off
"""

from deploys.environment import environment, refuse
from deploys.maintenance_page import down, up
from deploys.release import locked, worked

wanted = environment().maintenance
if not wanted:
    refuse("say --data maintenance=on or --data maintenance=off")
locked(reason=f"maintenance {wanted}", kind="maintenance")
up() if wanted == "on" else down()
worked()
