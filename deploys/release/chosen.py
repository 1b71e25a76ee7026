"""Releases of an image that the hosts have already: the one that serves, or one from the history."""

from __future__ import annotations

from collections.abc import Callable

from gevent.lock import RLock
from pyinfra import inventory, logger
from pyinfra.api import Host

from deploys.app import serving
from deploys.environment import choose, environment, fleet, order, refuse
from facts.containers import Containers, HostImage, HostImages
from facts.database import SchemaRevision
from facts.host_files import AppendedText
from operations.elsewhere import connectable, connected
from operations.release import APP_LABEL, GENERATION_LABEL
from signupflow import images
from signupflow.errors import OperatorError
from signupflow.images import Image
from signupflow.release import ledger, rollback

_found: list[Image] = []
_finding = RLock()


def keep_what_serves() -> None:
    """The release of this run is the image that serves now, whatever `app_image` says."""
    _once(_serving)


def go_back(wanted: str = "") -> None:
    """The release of this run is an earlier one: `wanted`, or the one before what serves. Refused when it cannot run."""
    _once(lambda: _earlier(wanted))


def _once(find: Callable[[], Image]) -> None:
    """pyinfra runs a deploy's file for each host, side by side: the hosts are asked once."""
    with _finding:
        if not _found:
            _found.append(find())
            choose(_found[0])


def _serving() -> Image:
    """The image that serves. Refused when hosts differ: a run that was cut off would be taken for what was meant."""
    env, routes = environment(), serving()
    found: dict[str, Image] = {}
    for name in order(env, fleet()):
        target, current = inventory.get_host(name), routes.generation(name)
        if not current or not connectable(target):
            continue
        for item in target.get_fact(Containers, label=f"{APP_LABEL}={env.app_name}"):
            if item.labels.get(GENERATION_LABEL) == str(current):
                found[item.image] = images.on_host(item.reference, item.image, item.labels)
    if not found:
        refuse("nothing serves yet; release with deploys/production.py")
    if len(found) > 1:
        served = ", ".join(sorted(image.version for image in found.values()))
        refuse(f"hosts serve different releases ({served}); take the one that was cut off back with deploys/abort.py first")
    return next(iter(found.values()))


def _earlier(wanted: str) -> Image:
    env = environment()
    edge = connected(inventory.get_host(fleet().holder("edge").name))
    records = [record for record in ledger.parse(_ledger(edge)) if record.app == env.app_name]
    now = _serving()
    try:
        record = rollback.target(records, now.image_id or now.on_host, wanted)
    except OperatorError as error:
        refuse(str(error))
    found = _on_every_host(record)
    database = connected(inventory.get_host(fleet().holder("db").name))
    known = database.get_fact(SchemaRevision, database=env.postgres_database) or ""
    stands = rollback.obstacles(record.version, found.migrations, now.migrations, known) if known and found.migrations else []
    if stands:
        refuse("; ".join(stands))
    logger.info(f"--> From {now.version} back to {found.version}, released {record.began} by {record.owner}")
    return found


def _ledger(edge: Host) -> str:
    return edge.get_fact(AppendedText, path=ledger.FILE)


def _on_every_host(record: ledger.Record) -> Image:
    """The record's image, which each host that runs it has, or can be given."""
    found, lacking = None, []
    for item in inventory:
        if not {"app", "db"} & set(item.groups) or not connectable(item):
            continue
        there = item.get_fact(HostImages, references=(record.image,)).get(record.image)
        if there is None:
            lacking.append(item.name)
        found = found or there
    if found is None:
        refuse(
            f"no host has the image of {record.version} any more (app_keep_releases is {environment().app_keep_releases}); "
            "release it again with --data app_image=..."
        )
    chosen = images.on_host(_name(record, found), found.id, found.labels)
    if lacking and chosen.travels and not chosen.local_id:
        refuse(f"{', '.join(lacking)} and this machine have not the image of {record.version}; release it again from where it is")
    return chosen


def _name(record: ledger.Record, found: HostImage) -> str:
    """What Compose files call it: pinned by digest, or by the digits of its id."""
    return next((name for name in found.names if ":id-" in name), "") if record.image.startswith("sha256:") else record.image
