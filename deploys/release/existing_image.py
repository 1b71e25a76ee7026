"""Releases of an image that the hosts have already: the one that serves, or one from the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gevent.lock import RLock
from pyinfra import inventory, logger
from pyinfra.api import Host

from deploys.app import serving
from deploys.environment import choose, chosen_settings, environment, fleet, holding, keep_replicas, order, refuse
from facts.containers import Containers, HostImage, HostImages
from facts.database import SchemaRevision
from facts.host_files import AppendedText
from operations.compose import STACK_LABEL
from operations.delegate import connectable
from signupflow import advice, images
from signupflow.errors import OperatorError
from signupflow.images import Image
from signupflow.release import agreement, ledger, rollback, served
from signupflow.release.spec import APP_LABEL, GENERATION_LABEL

_found: list[Image] = []
_scale: dict[str, int] = {}
_finding = RLock()


def keep_what_serves(*, scaled: bool = True) -> None:
    """The release of this run is the image that serves now, whatever `app_image` says; with as many replicas, if `scaled`."""
    _once(_kept)
    if scaled:
        _keep_scale()


def keep_what_is_there() -> None:
    """The same where hosts may serve different releases, or none: what is put back or taken out is on the hosts, and this
    machine may have no image at all. The first host's stands for all; where nothing runs, what `app_image` names.
    """
    _once(_first_serving)


def keep_database_image() -> None:
    """PostgreSQL's image is the one that runs, whatever `postgres_image` says; for a deploy that does not start it."""
    with _finding:
        target = inventory.get_host(fleet().host_with_role("db").name)
        if "postgres_image" in chosen_settings() or not connectable(target):
            return
        for item in target.get_fact(Containers, label=f"{STACK_LABEL}=postgres"):
            choose(images.on_host(item.reference, item.image, item.labels), "postgres_image")


def go_back(wanted: str = "") -> None:
    """The release of this run is an earlier one: `wanted`, or the one before what serves. Refused when it cannot run."""
    _once(lambda: _earlier(wanted))
    _keep_scale()


def _keep_scale() -> None:
    """Hosts keep as many replicas as serve, which `scale` may have said; unless this run says how many, by --data."""
    with _finding:
        if _scale or "app_replicas" in inventory.get_override_data():
            return
        routes = serving()
        _scale.update({name: count for name in fleet().apps if (count := len(routes.urls_of(name, routes.generation(name))))})
        for name, count in _scale.items():
            wanted = environment(inventory.get_host(name)).app_replicas
            if count != wanted:
                logger.info(
                    f"--> {name} keeps its {count} replicas; app_replicas is {wanted}, which `{advice.command('deploy')}` applies"
                )
        keep_replicas(_scale)


def _once(find: Callable[[], Image]) -> None:
    """pyinfra runs a deploy's file for each host, side by side: the hosts are asked once."""
    with _finding:
        if not _found:
            _found.append(find())
            choose(_found[0])


def _served() -> dict[str, list[Image]]:
    """App host to the images of the generations that get traffic there; hosts that take no SSH are left out."""
    env, routes = environment(), serving()
    found: dict[str, list[Image]] = {}
    for name in order(env, fleet()):
        target, routed = inventory.get_host(name), {str(number) for number in routes.routed(name)}
        if not routed or not connectable(target):
            continue
        for item in target.get_fact(Containers, label=f"{APP_LABEL}={env.app_name}"):
            if item.labels.get(GENERATION_LABEL) in routed:
                found.setdefault(name, []).append(images.on_host(item.reference, item.image, item.labels))
    return found


def _first_serving() -> Image:
    found = [image for there in _served().values() for image in there]
    return found[0] if found else images.unseen(environment().app_image)


def _something() -> dict[str, list[Image]]:
    return _served() or refuse(f"nothing serves yet; release with `{advice.command('deploy')}`")


def _split(found: Mapping[str, Sequence[Image]]) -> str:
    """Why these cannot be taken for one release; empty when they are one."""
    return agreement.refusal(
        {name: [(served.identity(image.on_host), image.version) for image in there] for name, there in found.items()}
    )


def one_release() -> None:
    """Refused when hosts serve different releases: what a run that was cut off has left is not ready for another."""
    if serving().hosts and (said := _split(_served())):
        refuse(said)


def _serving() -> Image:
    """The image that serves. Refused when hosts differ: a run that was cut off would be taken for what was meant."""
    found = _something()
    if said := _split(found):
        refuse(said)
    return next(iter(found.values()))[0]


def _kept() -> Image:
    """The same for a run that starts it again, here or on a host that has none of it yet."""
    found = _serving()
    _can_be_given(found, _held(found.on_host)[1])
    return found


def _earlier(wanted: str) -> Image:
    env = environment()
    edge = holding("edge")
    records = [record for record in ledger.parse(_ledger(edge)) if record.app == env.app_name]
    found = _something()
    split = _split(found)
    if split and not wanted:
        refuse(split)
    # Where hosts differ, the newest of their images knows most migrations.
    now = max((image for there in found.values() for image in there), key=lambda image: len(image.migrations))
    try:
        record = rollback.target(records, "" if split else now.image_id or now.on_host, wanted)
    except OperatorError as error:
        refuse(str(error))
    earlier = _on_every_host(record)
    database = holding("db")
    known = database.get_fact(SchemaRevision, database=env.postgres_database) or ""
    stands = rollback.obstacles(record.version, earlier.migrations, now.migrations, known) if known and earlier.migrations else []
    if stands:
        refuse("; ".join(stands))
    before = "different releases" if split else now.version
    logger.info(f"--> From {before} back to {earlier.version}, released {record.started_at} by {record.deployed_by}")
    return earlier


def _ledger(edge: Host) -> str:
    return edge.get_fact(AppendedText, path=ledger.FILE)


def _on_every_host(record: ledger.Record) -> Image:
    """The record's image, which each host that runs it has, or can be given."""
    found, lacking = _held(record.image)
    if found is None:
        refuse(
            f"no host has the image of {record.version} any more (app_keep_releases is {environment().app_keep_releases}); "
            "release it again with --data app_image=..."
        )
    chosen = images.on_host(_name(record, found), found.id, found.labels)
    _can_be_given(chosen, lacking)
    return chosen


def _held(reference: str) -> tuple[HostImage | None, list[str]]:
    """An image as the first host that has it knows it, and the names of those hosts that need it and have it not."""
    found, lacking = None, []
    for item in inventory:
        if not {"app", "db"} & set(item.groups) or not connectable(item):
            continue
        there = item.get_fact(HostImages, references=(reference,)).get(reference)
        if there is None:
            lacking.append(item.name)
        found = found or there
    return found, lacking


def _can_be_given(image: Image, lacking: list[str]) -> None:
    """Refuse when a host lacks an image that is in no registry and not on this machine."""
    if lacking and image.travels and not image.local_id:
        refuse(f"{', '.join(lacking)} and this machine have not the image of {image.version}; release it again from where it is")


def _name(record: ledger.Record, found: HostImage) -> str:
    """What Compose files call it: pinned by digest, or by the digits of its id."""
    return next((name for name in found.names if ":id-" in name), "") if record.image.startswith("sha256:") else record.image
