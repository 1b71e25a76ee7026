"""The release as it will go, printed once by every run and dry run: hosts in order, each with its steps."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra import logger
from pyinfra.api import Host

from deploys.app import desired
from deploys.environment import holding, image
from facts.database import SchemaRevision
from operations.delegate import connected
from operations.release import planned
from signupflow.release.plan import HostPlan, lines, schema_step
from signupflow.routing import RouteTable
from signupflow.settings import Environment


def announce(apps: Sequence[Host], serving: RouteTable, env: Environment, again: bool = False) -> None:
    """Print the plan of all app hosts that this run works on; nothing when they serve what is wanted."""
    plans = []
    for item in apps:
        found = planned(connected(item), desired(item), serving, again)
        plans.append(HostPlan(item.name, found.observed.current, found.todo))
    new = image(env.app_image)
    title = f"{env.app_name} {new.version or new.on_host}"
    database = holding("db")
    known = database.get_fact(SchemaRevision, database=env.postgres_database) if new.schema_revision else ""
    schema = schema_step(new.schema_revision, known, new.migrations)
    for line in lines(title, schema, plans, env.app_monitor_seconds, env.app_on_failure):
        logger.info(line)
