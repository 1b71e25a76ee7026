"""Releases that change the schema: once, tried on a copy first, refused when the running version would not survive it."""

from __future__ import annotations

from lab.client import Lab
from tests import releases
from tests.proofs.releasing import Evidence, baseline, must, nothing_to_do, records, release, versions
from tests.traffic import Traffic, lost_writes


def revision(lab: Lab) -> str:
    return psql(lab, "select version_num from alembic_version")


def psql(lab: Lab, query: str) -> str:
    command = "sudo docker exec -i -u postgres signupflow-postgres psql -XAt -d signupflow"
    return lab.ssh(lab.the("db"), command, stdin=query).strip()


def databases(lab: Lab) -> list[str]:
    return psql(lab, "select datname from pg_database where datname like 'signupflow%' order by 1").split()


def expand(lab: Lab, rate: float = 40) -> Evidence:
    """A compatible change goes out under load; then the version before runs on the newer schema, proved on a copy first."""
    good = releases.image("good", 1)
    baseline(lab, good)
    was = revision(lab)
    with Traffic(lab, rate=rate, faults=True) as traffic:
        forward = must(release(lab, releases.image("migration-adds")))
        reached = revision(lab)
        back = must(release(lab, good))
    nothing_to_do(lab, good)
    report = traffic.report
    evidence: Evidence = {
        "from": was,
        "to": reached,
        "seconds_with_migration": forward.seconds,
        "seconds_back_to_the_version_before": back.seconds,
        "restore_point": [record.restore_point for record in records(lab) if record.schema == reached][-1],
        "versions": versions(lab),
        "databases_left": databases(lab),
        "sent": report.sent,
        "failed": report.failed,
        "samples": [str(item) for item in report.failures[:5]],
        "lost_writes": len(lost_writes(lab, report)),
    }
    assert was == releases.migrations()[-1].revision, evidence
    assert reached == releases.migrations("adds")[-1].revision, evidence
    assert revision(lab) == reached, evidence
    assert evidence["restore_point"].startswith("before-"), evidence
    assert evidence["databases_left"] == ["signupflow"], evidence
    assert report.failed == 0, evidence
    assert not evidence["lost_writes"], evidence
    # Back where it was, for whoever comes next.
    psql(lab, f"alter table events drop column room; update alembic_version set version_num = '{was}';")
    return evidence
