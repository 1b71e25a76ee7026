"""The old service on SQLite behind our edge, and its cutover to PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from pyinfra import host, inventory
from pyinfra.api import deploy

from deploys.app import desired, prepare_host, routes
from deploys.deployment import deployment
from deploys.environment import environment, fleet, holding, image, in_group, order, refuse
from deploys.maintenance_page import DIRECTORY as PAGE_DIRECTORY
from deploys.maintenance_page import SERVICE as PAGE_SERVICE
from deploys.maintenance_page import page_path, page_routes, server
from deploys.release import recorded
from deploys.schema import migrator_secrets, trust_directory
from deploys.traefik import DYNAMIC
from operations import compose, files
from operations import cutover as cutting_over
from operations import release as releases
from signupflow import cutover, maintenance
from signupflow.render import compose_value, template
from signupflow.settings import Environment
from signupflow.shared.places import TRAEFIK_API

TEMPLATES = Path(__file__).parent / "templates"
API = f"{TRAEFIK_API}/api/http/routers"


@deploy("Old service")
def old_service() -> None:
    """Traefik leads to it until its rows are moved, and the page stands ready."""
    env = environment()
    if not env.legacy_sqlite_file:
        refuse("legacy_sqlite_file is not set: where is the old service's database? (docs/deployment/DATABASE_MIGRATION.md)")
    if in_group("edge") and cutover.old_is_routed(_last(env)):
        server()
        asked = [f"{API}/{cutover.router_name(env.app_name, domain)}@file" for domain in env.domains]
        confirmed = " && ".join(f"curl --silent --fail -m 5 -o /dev/null {url}" for url in asked)
        files.config(
            name="Route traffic to the old service",
            dest=_legacy_path(env),
            content=cutover.routes(env.app_name, env.domains, env.legacy_upstream),
            apply=f"for try in 1 2 3 4 5 6 7 8 9 10; do ( {confirmed} ) && break; sleep 0.5; done; {confirmed}",
        )


@deploy("Cutover")
def cut_over() -> None:
    """What it needs on each host, then all of it in one step of the database's host."""
    env = environment()
    recorded()
    routes()
    prepare_host()
    edge = inventory.get_host(fleet().host_with_role("edge").name)
    if in_group("db"):
        _project(env)
        cutting_over.moved(
            name=f"Move {env.legacy_sqlite_file} into PostgreSQL", context=deployment(), move=_move(env), edge=edge
        )
    releases.barrier(name="Wait for all hosts")
    if in_group("edge"):
        compose.gone(name="Remove the maintenance page", service=PAGE_SERVICE, directory=PAGE_DIRECTORY, _if=deployment().healthy)
    if host.name == edge.name:
        releases.finish(name="Record and unlock", context=deployment())


def _project(env: Environment) -> None:
    """The Compose project with the import and the smoke suite, and its work folder: the file's rows are people's data."""
    compose.directory(name="Create the work directory", path=f"{_directory(env)}/work", mode="0700", uid=0)
    files.config(
        name="Write the import project",
        dest=f"{_directory(env)}/compose.yaml",
        content=template(
            TEMPLATES / "compose.yaml.j2",
            env=env,
            image=image(env.app_image).on_host,
            trust=trust_directory(env),
            secrets=migrator_secrets(env),
            source=env.legacy_sqlite_file.rpartition("/")[0] or "/",
            work=f"{_directory(env)}/work",
            smoke=[compose_value(word) for word in env.app_smoke_command],
        ),
    )


def _move(env: Environment) -> cutting_over.Move:
    apps = [inventory.get_host(name) for name in order(env, fleet())]
    return cutting_over.Move(
        app=env.app_name,
        database=env.postgres_database,
        file=env.legacy_sqlite_file,
        upstream=env.legacy_upstream,
        stop=env.legacy_stop,
        start=env.legacy_start,
        decisions=env.legacy_decisions,
        project=_directory(env),
        page=(page_path(env.app_name), page_routes(env.reason or "moving to another database")),
        legacy=(_legacy_path(env), cutover.routes(env.app_name, env.domains, env.legacy_upstream)),
        page_routers=[maintenance.router(env.app_name, domain).partition("@")[0] for domain in env.domains],
        legacy_routers=[cutover.router_name(env.app_name, domain) for domain in env.domains],
        releases=[(item, desired(item)) for item in apps],
    )


def _last(env: Environment) -> cutover.Step | None:
    return cutting_over.last_step(holding("db"), env.app_name)


def _directory(env: Environment) -> str:
    return f"/opt/signupflow/cutover-{env.app_name}"


def _legacy_path(env: Environment) -> str:
    return f"{DYNAMIC}/app-{env.app_name}-legacy.yaml"
