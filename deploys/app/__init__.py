"""The app: any image with a port, a health path and an environment, released generation by generation."""

import functools
from collections.abc import Collection
from pathlib import Path

from pyinfra import host
from pyinfra.api import Host, deploy

from deploys import ownership
from deploys.app.configuration import secret_values, secret_variables, uses_database
from deploys.app.networks import APP_BRIDGE, APP_NETWORK, networks
from deploys.environment import entries, environment, fleet, holding, image, in_group, order, secrets_of
from deploys.postgres.roles import CERTIFICATE
from deploys.traefik import DYNAMIC, STATE
from facts.host_files import AppendedText, ManagedFile
from facts.release import CertifiedDomains, ResolvedDomains
from operations import certificates, compose, files, images
from operations import release as releases
from signupflow import cutover, rotation
from signupflow.probe import Entry
from signupflow.release.rollout import Rollout
from signupflow.release.spec import ReleaseSpec, RouteSpec, SecretFiles
from signupflow.render import compose_value, template
from signupflow.routing import RouteTable, routed_domains, routers
from signupflow.settings import Environment
from signupflow.shared.places import POSTGRES

TEMPLATES = Path(__file__).parent / "templates"


@deploy("App image")
def app_image() -> None:
    """A stage of its own: the schema step needs the image, on the database's host, before the release does."""
    if in_group("app") or (in_group("db") and environment().app_migration_command):
        # On an app host the release itself says which of the older ones stay.
        images.present(name="Load the image", image=image(environment().app_image), prune=not in_group("app"))


def routes() -> None:
    """On the edge: what follows from settings and the inventory alone."""
    env = environment()
    if in_group("edge"):
        files.config(
            name="Write routers of the domains",
            dest=routers_path(env.app_name),
            content=_routers(env, _domains(env.app_name)[1]),
        )
        releases.only(name="Remove routes of hosts no longer in the inventory", route=route())


def prepare_host() -> None:
    """On an app host: what all generations share."""
    env = environment()
    if in_group("app"):
        compose.directory(name="Create the data directory", path=data_directory(), mode="0750", uid=env.app_user)
        if APP_NETWORK in networks(fleet(), host.name, uses_database(env)):
            compose.network(name="Create the network", network=APP_NETWORK, bridge=APP_BRIDGE)


@deploy("App")
def leave() -> None:
    """Out of the routes first, and stopped when the edge confirms that nothing is sent here any more."""
    if in_group("app"):
        releases.left(name=f"Remove {host.name}", release=desired(host))
        if fleet().member(host.name).roles == {"app"}:
            ownership.release()


def data_directory() -> str:
    return f"/var/lib/signupflow/app-{environment().app_name}"


def route() -> RouteSpec:
    env = environment()
    return RouteSpec(
        app=env.app_name,
        edge=fleet().host_with_role("edge").name,
        path=f"{DYNAMIC}/app-{env.app_name}-servers.yaml",
        ready_path=env.ready_path,
        domain=env.domains[0],
        hosts=fleet().apps,
    )


def desired(target: Host) -> ReleaseSpec:
    """What an app host should run, and how it gets there."""
    env = environment(target)
    values, hosts = secrets_of(env), fleet()
    new, name = image(env.app_image), target.name
    secrets_directory = f"/etc/signupflow/secrets/app-{env.app_name}"
    role, _ = rotation.app_roles(values)
    variables = secret_variables(env, values, role)
    database = uses_database(env)
    address = "" if hosts.colocated(name, "edge") else hosts.member(name).private_address
    contents = {
        "compose.yaml": template(
            TEMPLATES / "compose.yaml.j2",
            env=env,
            image=new.on_host,
            variables={key: compose_value(value) for key, value in env.variables(_proxies(env, name)).items()},
            secret_variables=sorted(variables),
            secrets=secrets_directory,
            data=data_directory(),
            networks=networks(hosts, name, database),
            database=database,
            database_host=POSTGRES,
            database_address=hosts.database_address(name),
            address=address,
        )
    }
    if database:
        contents[f"trust/{CERTIFICATE}"] = values["postgres_tls_certificate"]
    return ReleaseSpec(
        route=route(),
        directory=f"/opt/signupflow/app-{env.app_name}",
        files=contents,
        image=new.on_host,
        image_id=new.image_id,
        repository=new.reference.name,
        version=new.version,
        older_revisions=new.older_revisions if database else (),
        # Compose reads an env file as root; mounted files belong to the app's user.
        secrets=SecretFiles(
            secrets_directory, secret_values(env, values, role), env.app_user if env.app_secrets_as == "files" else 0
        ),
        secret_digests={key: values.digest(value) for key, value in variables.items()},
        replicas=env.app_replicas,
        address=address,
        first_port=env.app_private_port,
        port=env.app_port,
        health_path=env.app_health_path,
        start_seconds=env.app_start_seconds,
        stop_seconds=env.app_stop_seconds,
        drained_signal=env.app_drained_signal,
        check_command=env.app_check_command,
        error_percent=env.app_error_percent,
        keep=env.app_keep_releases,
        entries=served_entries(env) or _leading(env) or entries(env),
        observe_path=env.health_path,
        probe_rate=env.app_probe_rate,
        rollout=Rollout(
            host=name,
            new=0,
            old=0,
            replicas=env.app_replicas,
            verify=bool(env.app_check_command),
            soak_seconds=env.app_soak_seconds if name == order(env, hosts)[0] else 0,
            weights=env.app_shift_weights,
            pause_seconds=env.app_shift_pause_seconds,
            bake_seconds=env.app_bake_seconds,
        ),
    )


def _proxies(env: Environment, name: str) -> str:
    """Whose word a host's replicas take for who asks."""
    return fleet().trusted_proxies(name, env.forwarding_proxies)


def routers_path(app: str) -> str:
    return f"{DYNAMIC}/app-{app}.yaml"


def served_entries(env: Environment) -> tuple[Entry, ...]:
    """The public entry by those of its domains that it serves now; none where nothing is routed.

    A domain that this run adds has no route yet, so it has no certificate: whoever asks by it judges the CA and not the app.
    When none of the routed domains has a certificate, all of them are to be asked: something is wrong.
    """
    routed, certified = _domains(env.app_name)
    asked = routed & certified or routed
    return tuple(entry for entry in entries(env) if entry.domain in asked)


def ordering(env: Environment) -> certificates.Ordering:
    """The certificates that are missing, and for which of them the CA is asked: those whose name leads somewhere."""
    _, certified = _domains(env.app_name)
    missing = [entry for entry in entries(env) if entry.domain not in certified]
    leading = {entry.domain for entry in _leading(env)}
    return certificates.Ordering(
        path=routers_path(env.app_name),
        routers=functools.partial(_routers, env),
        settled=certified & set(env.domains),
        entries=tuple(entry for entry in missing if entry.domain in leading),
        nowhere=tuple(entry for entry in missing if entry.domain not in leading),
    )


def _routers(env: Environment, ordered: Collection[str]) -> str:
    return routers(env.app_name, env.domains, env.app_response_seconds, ordered)


def _leading(env: Environment) -> tuple[Entry, ...]:
    """The public entry by those of its domains whose name leads somewhere, as the edge sees it, or else this machine."""
    found = _resolved(env.domains)
    return tuple(entry for entry in entries(env) if entry.domain in found or certificates.leads_to(entry.domain))


@functools.cache
def _resolved(domains: tuple[str, ...]) -> frozenset[str]:
    return holding("edge").get_fact(ResolvedDomains, names=domains)


@functools.cache
def _domains(app: str) -> tuple[frozenset[str], frozenset[str]]:
    """Domains that are routed, and domains that have a certificate, as this run finds the edge before it changes anything."""
    edge = holding("edge")
    routed = routed_domains(edge.get_fact(ManagedFile, path=routers_path(app)).content)
    return routed, edge.get_fact(CertifiedDomains, path=f"{STATE}/acme.json")


def serving() -> RouteTable:
    """What the edge's routes say now."""
    return RouteTable.parse(holding("edge").get_fact(ManagedFile, path=route().path).content)


def unmoved() -> bool:
    """Whether an old service on SQLite is what the public entry leads to, or would: its rows are not in PostgreSQL."""
    env = environment()
    if not env.legacy_sqlite_file:
        return False
    database = holding("db")
    step = cutover.last_step(database.get_fact(AppendedText, path=cutover.journal_path(env.app_name)))
    return step is not cutover.Step.MOVED
