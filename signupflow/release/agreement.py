"""Whether all app hosts serve one release; and what somebody can type when they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from signupflow import advice


def ways_out() -> str:
    return (
        f"Finish: `{advice.command('deploy')}`; undo: `{advice.command('abort')}`; "
        f"or have one of them everywhere: `{advice.command('rollback VERSION')}`"
    )


def split(serving: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """What is wrong, in a line, when hosts (or generations of one host) that get traffic are of different releases.

    `serving` is host to identity and version of each release that gets traffic there. Empty when there is one release.
    """
    if len({identity for releases in serving.values() for identity, _ in releases}) < 2:
        return ""
    versions = {version for releases in serving.values() for _, version in releases}
    told = [
        f"{host} has {' and '.join(dict.fromkeys(_named(release, len(versions)) for release in releases))}"
        for host, releases in serving.items()
        if releases
    ]
    return f"hosts serve different releases: {', '.join(told)}"


def refusal(serving: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The same with the verbs that end it, for whoever needs one release to begin with."""
    said = split(serving)
    return f"{said}. {ways_out()}" if said else ""


def _named(release: tuple[str, str], versions: int) -> str:
    """Its version; with the image where the version is the same everywhere."""
    identity, version = release
    return version if versions > 1 else f"{version} ({identity.rpartition(':id-')[2][:12]})"
