"""The newest timeline of this database, read from where its history lies: the archives, and the live cluster's own files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from backup import ancestry
from backup.ancestry import Lineage
from backup.exit_codes import Backup, Failed, meaning
from backup.server import Server


def newest(server: Server, stanza: str, repositories: Iterable[int], cluster: Path) -> Lineage:
    """The newest timeline that an archive or the cluster of this host knows: recovery will follow it."""
    found = [_archived(server, stanza, repository) for repository in repositories]
    return max((*found, on_disk(cluster)), key=lambda lineage: lineage.timeline)


def on_disk(cluster: Path) -> Lineage:
    """The newest timeline of a cluster, whose history may wait to be archived."""
    paths = {path.name: path for path in (cluster / "pg_wal").glob("*.history")}
    name = ancestry.newest_name(paths)
    return ancestry.parse(name, paths[name].read_text()) if name else Lineage()


def _archived(server: Server, stanza: str, repository: int) -> Lineage:
    base = f"archive/{stanza}"
    # After an upgrade of PostgreSQL there are several; the last begun has the highest number behind its dash.
    ids = [name for name in _listed(server, repository, base) if name.rpartition("-")[2].isdigit()]
    if not ids:
        return Lineage()
    base = f"{base}/{max(ids, key=lambda name: int(name.rpartition('-')[2]))}"
    name = ancestry.newest_name(_listed(server, repository, base))
    if not name:
        return Lineage()
    done = server.pgbackrest(f"--repo={repository}", "--log-level-console=error", "repo-get", f"{base}/{name}")
    if done.code:
        raise Failed(*meaning(done.out + done.err, Backup.UPLOAD_FAILED))
    return ancestry.parse(name, done.out)


def _listed(server: Server, repository: int, path: str) -> list[str]:
    done = server.pgbackrest(f"--repo={repository}", "--log-level-console=error", "repo-ls", path)
    if done.code:
        raise Failed(*meaning(done.out + done.err, Backup.UPLOAD_FAILED))
    return done.out.split()
