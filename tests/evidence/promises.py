"""Every promise with a figure: its line's name, its goal, how its figure is read from what was measured, what it depends on.

A test marked `@pytest.mark.proof("NAME")` measures it; the order here is the order in which they are run and shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What a deployment consists of: a line is proven of these as they were, unless it says that it depends on something else.
# Folders that are not there (yet, or any more) match nothing.
PRODUCT = (
    *("Dockerfile", "alembic", "app", "backup", "config.py", "deploys", "docker-compose.yml", "facts", "group_data"),
    *("inventory.py", "operations", "requirements", "signupflow", "sqlite_import"),
)
SCHEMA = ("alembic", "app/models", "app/models.py")
IMPORT = ("sqlite_import", *SCHEMA)


@dataclass(frozen=True)
class Promise:
    """One line. `figure` says in a few words what was measured, of the result; `paths` are git's (gitglossary, pathspec)."""

    line: str
    promise: str
    goal: str
    figure: Callable[[Any], str]
    paths: tuple[str, ...] = PRODUCT


def failed(counts: Any) -> str:
    return f"{counts['failed']} of {counts['sent']:,} requests failed"


def all_failed(rows: Any) -> str:
    return f"{sum(row['failed'] for row in rows)} of {sum(row['sent'] for row in rows):,} requests failed"


def everywhere(result: Any, key: str) -> int:
    """The sum of a number that stands at any depth of a result."""
    if isinstance(result, list):
        return sum(everywhere(item, key) for item in result)
    if not isinstance(result, dict):
        return 0
    return sum(value if name == key and isinstance(value, int) else everywhere(value, key) for name, value in result.items())


def dry(result: Any) -> str:
    missed = len(result["done_but_not_announced"]) + len(result["announced_but_not_done"])
    return f"{result['announced_and_done']} announced and done, {missed} otherwise"


def changes(result: Any) -> str:
    return f"{len(result['changes']) + len(result['planned_changes'])} changes of {result['operations']} operations"


def worst(rows: Any, key: str) -> float:
    return max(float(row[key]) for row in rows)


PROMISES = (
    Promise(
        "demo",
        "A fresh clone's `make demo` ends healthy over HTTPS; a second one changes nothing",
        "lab < 300 s, the second < 30 s; 0 changes",
        lambda r: (
            f"{r['first_seconds']:.0f} s with all images made, {r['second_seconds']:.0f} s the second time; "
            f"{r['second_totals']['changed']} changes"
        ),
        (*PRODUCT, "Makefile", "lab", "scripts"),
    ),
    Promise(
        "exact-dry-run", "A dry run on a bare host announces exactly what the run then does", "0 not announced, 0 not done", dry
    ),
    Promise("second-run", "A second run changes nothing, and a plan after it announces nothing", "0 changes", changes),
    Promise(
        "one-variable",
        "One changed variable is one change, without a secret",
        "1 operation, 0 secrets",
        lambda r: f"{len(r['planned'])} operation, {len(r['secrets_in_output'])} secrets",
    ),
    Promise(
        "certificates",
        "Each domain has its own certificate; HTTP redirects",
        "a valid one for each",
        lambda r: (
            f"{len(r['certificates'])} domains, {len({item['serial'] for item in r['certificates'].values()})} certificates"
        ),
    ),
    Promise("renewal", "A certificate is renewed under load and no request fails", "0 failed", lambda r: failed(r["load"])),
    Promise(
        "ports",
        "Only 22, 80 and 443 answer from outside, whatever Docker publishes",
        "22, 80, 443",
        lambda r: f"{', '.join(map(str, r['open']))} of {r['scanned']:,} ports",
    ),
    Promise(
        "attack",
        "Whatever one address sends, others are served; an upload of 5 minutes at 100 kB/s arrives",
        "0 failed, p99 at most twice, no restart",
        lambda r: (
            f"{len(r['others']['ways'])} ways with {r['others']['connections']:,} connections; "
            f"{all_failed([way['others'] for way in r['others']['ways']])}, {r['others']['restarts']} restarts, "
            f"{r['others']['memory_mb']} MB; {r['upload']['seconds']:.0f} s of upload"
        ),
    ),
    Promise(
        "secrets",
        "Secrets are in no output, process list, image, inspection, log or commit",
        "0 found, the control found",
        lambda r: f"{len(r['found'])} of {len(r['secrets'])} planted secrets found",
    ),
    Promise(
        "settings",
        "Every setting missing, malformed or a placeholder is refused and named",
        "0 accepted or unnamed",
        lambda r: (
            f"{len(r['app_image']['accepted_or_unnamed']) + len(r['deploys']['accepted_or_unnamed'])}"
            f" of {r['app_image']['cases'] + r['deploys']['cases']} accepted"
        ),
    ),
    Promise(
        "foreign-image",
        "Any image with a port and a health path deploys by group data alone",
        "2 replicas answer; a second run changes nothing",
        lambda r: f"{len(r['replicas'])} replicas, {len(r['second']['changes'])} changes in the second run",
    ),
    Promise(
        "tags",
        "`deploy 1.10` after 1.1 and 1.9 releases 1.10, and `rollback 1.9` goes back to 1.9",
        "every tag as typed",
        lambda r: f"served {', '.join(tag for found in r['served'] for tag in found)}",
    ),
    Promise(
        "third-domain",
        "A domain added to an app that serves has its own certificate after one run",
        "its own certificate",
        lambda r: f"{r['domains']} domains, a certificate for each",
    ),
    Promise(
        "second-tenant",
        "Another app or environment on a host that has one is refused by name, dry and not; nothing is touched",
        "refused, untouched",
        lambda r: f"{len(r['refused'])} of {len(r['refused'])} refused",
    ),
    Promise(
        "flavours",
        "Hosts with a past work, or are refused by a line before the first change; nothing is removed or changed unsaid",
        "every flavour",
        lambda r: f"{r['held']} of {len(r['rows'])} flavours",
        (*PRODUCT, "lab/flavours", "tests/proofs/flavours.py"),
    ),
    Promise(
        "database",
        "The database away: 503 at once; back: service by itself",
        "503 < 3 s; back < 5 s",
        lambda r: (
            f"503 after {r['stopped']['health_seconds']} s, back after {r['stopped']['recovered_seconds']} s; "
            f"hanging: 503 after {r['hangs']['seconds']} s"
        ),
    ),
    Promise(
        "killed-runs",
        "A first run killed anywhere is finished by the next one",
        "healthy, then 0 changes",
        lambda r: f"{len(r['kills'])} kills, {r['status']}, {changes(r['run_after_that'])}",
    ),
    Promise("cluster-dry-run", "A dry run on a cluster's bare hosts announces exactly what the run does", "0 otherwise", dry),
    Promise("cluster-second-run", "A second run changes nothing on any host of a cluster", "0 changes", changes),
    Promise(
        "healing",
        "A replica, Traefik, PostgreSQL, Docker or a host that dies under load is back by itself",
        "< 30 s",
        lambda r: f"{len(r['faults'])} faults, at most {worst(r['faults'], 'seconds_to_full_service')} s to full service",
    ),
    Promise(
        "cut-off",
        "A host cut off the network costs less than a second of what was already sent to it",
        "<= 1 s of failing requests",
        lambda r: f"{r['failing_seconds']} s; {failed(r['load'])}",
    ),
    Promise("scaling", "An app host is added and removed and no request fails", "0 failed", lambda r: failed(r["load"])),
    Promise(
        "growing",
        "A single host becomes two by a line in the inventory",
        "0 failed",
        lambda r: all_failed((r["load"], r["leaving"])),
    ),
    Promise(
        "database-access",
        "PostgreSQL answers the app on app hosts and nobody else",
        "nobody else",
        lambda r: f"{sum(r['answers'].values())} of {len(r['answers'])} others are answered",
    ),
    Promise(
        "tenants",
        "No route shows or changes another organisation's data, whoever asks",
        "0 wrong",
        lambda r: f"{len(r['wrong'])} wrong of {r['requests']} requests to {r['routes']} routes",
    ),
    Promise(
        "contract",
        "The API is what its OpenAPI document says, without a server error",
        "0 failures",
        lambda r: f"{r['failures']} failures of {r['tests']} checks, {r['examples_for_each_operation']} examples each",
        ("alembic", "app", "docs/openapi.json"),
    ),
    Promise(
        "page",
        "The page works in six languages, live across replicas, without a console error",
        "6 languages, 0 problems",
        lambda r: (
            f"{len(r['languages'])} languages, "
            f"{sum(row['console_problems'] for row in r['languages'].values())} problems in the console"
        ),
    ),
    Promise(
        "shutdown",
        "SIGTERM finishes what is in flight and tells open streams, within the grace",
        "0 failed; exit within 40 s",
        lambda r: f"{failed(r['load'])}; exit after {r['seconds_to_exit']} s",
    ),
    Promise(
        "start",
        "A replica is healthy in seconds",
        "< 30 s",
        lambda r: f"median {r['median_seconds']} s of {len(r['starts'])} starts",
    ),
    Promise(
        "releases",
        "Ten releases in a row under mixed requests: none fails, no acknowledged write is lost, p99 at most doubles",
        "0 of 50,000 failed; p99 at most doubled",
        lambda r: (
            f"{failed(r['traffic'])} at {r['rate']:.0f}/s, {r['lost_writes']} of {r['acknowledged_writes']:,} writes lost; "
            f"p99 {r['p99_ms_before']:.0f} to {r['p99_ms_during']:.0f} ms"
        ),
    ),
    Promise(
        "rollouts",
        "Beside Compose, docker-rollout and Swarm on the same host: nothing lost, in half the time of what loses nothing either",
        "0 failed; 2 times as fast",
        lambda r: (
            f"{r['rows'][0]['failed']} of {r['rows'][0]['sent']:,} failed; "
            f"{r['times_faster_than_the_fastest_that_loses_nothing']} times as fast as the fastest by its own settings, "
            f"{min(r['times_faster_than_each_that_loses_nothing'].values())} times as fast as one that was tuned"
        ),
        ("deploys", "operations", "signupflow", "tests/proofs/rollouts", "benchmarks"),
    ),
    Promise(
        "failing-releases",
        "A release that fails, in each way, is rolled back; the first line says why",
        "the previous version serves; 0 failed before a canary had traffic",
        lambda r: f"{len(r['cases'])} ways; {all_failed(r['cases'])}",
    ),
    Promise(
        "unattended",
        "On a terminal without -y, the second of three hosts fails: the first rolled back, the third untouched, no key typed",
        "1 key typed, rolled back",
        lambda result: f"{result['keys_typed']} key typed, {result['questions']} question",
    ),
    Promise(
        "unattended-lost",
        "The same, the second host's SSH cut for good: rolled back, recorded, reported, notified, hook called",
        "1 key typed, rolled back",
        lambda result: f"{result['keys_typed']} key typed, {result['questions']} question",
    ),
    Promise(
        "second-host",
        "A failure on the second of three hosts: the third untouched, the first rolled back",
        "0 failed",
        failed,
    ),
    Promise(
        "migrations",
        "A schema change goes out under load, tried on a copy first; the previous version still runs",
        "0 failed, 0 writes lost",
        failed,
    ),
    Promise(
        "killed-releases",
        "The controller killed at each step: the service goes on, the next run converges",
        "0 failed, but on the way back from a failure",
        lambda r: f"{len(r['steps'])} steps; {all_failed(r['steps'])}",
    ),
    Promise(
        "aborted-releases",
        "An interrupted release is undone on every host by `signupflow abort`",
        "0 failed",
        lambda r: f"{len(r['steps'])} steps; {all_failed(r['steps'])}",
    ),
    Promise(
        "rebooted",
        "A host that loses power in its rollout serves one generation when it is back",
        "1 generation",
        lambda r: (
            f"{len(r['steps'])} steps, "
            f"{max(len(found) for row in r['steps'] for found in row['versions_when_back'].values())} version on each host"
        ),
    ),
    Promise(
        "no-ssh",
        "SSH cut for 30 s in each step: survived or rolled back",
        "0 failed",
        lambda r: f"{len(r['steps'])} steps, {sum(row['survived'] for row in r['steps'])} survived; {all_failed(r['steps'])}",
    ),
    Promise(
        "two-deployments",
        "Of two deployments started together exactly one runs; the other names its owner",
        "1 of 2",
        lambda r: f"{r['exits'].count(0)} of {len(r['exits'])} ran",
    ),
    Promise(
        "order",
        "Dry plans and runs keep the inventory's order",
        "all",
        lambda r: f"{r['plans_in_order']} of {r['plans']} plans, {r['runs_in_order']} of {r['runs']} runs",
    ),
    Promise(
        "plan",
        "The steps that a dry run prints are the steps that the run takes",
        "the same",
        lambda r: f"{sum(map(len, r['done'].values()))} steps on {len(r['done'])} hosts",
    ),
    Promise(
        "turn",
        "A host's rollout beyond app start, soak and drain takes under 3 s",
        "median < 3 s",
        lambda r: f"median {r['rest_median_seconds']:.1f} s, at most {r['rest_max_seconds']:.1f} s",
    ),
    Promise(
        "state-machine",
        "Planner and state machine: every (state, event) pair, every branch",
        "100 % of branches",
        lambda r: f"{min(row['percent_covered'] for row in r.values()):.0f} % of {len(r)} modules at least",
        ("signupflow/release", "tests/deploy"),
    ),
    Promise(
        "rollback",
        "Back under load after a compatible change of the schema; after an incompatible one refused, the migration named",
        "0 failed; < 60 s a host (contract: 5 min)",
        lambda r: f"{failed(r)}; at most {max(r['seconds_of_each_host'].values())} s a host",
    ),
    Promise(
        "restart",
        "A restart, and scaling up and down, under load fail no request",
        "0 failed",
        lambda r: all_failed((r["restart"], r["scaling"])),
    ),
    Promise(
        "kept-plans",
        "A kept plan runs only when nothing has changed since; otherwise the host that did is named",
        "run; refused",
        lambda r: f"exit {r['applied_exit']}, then {r['refused_exit']}",
    ),
    Promise(
        "maintenance",
        "The maintenance page: 503, Retry-After, health visible",
        "503; health 200",
        lambda r: f"{', '.join(sorted({str(code) for code in r['status'].values()}))}; health {r['health']}",
    ),
    Promise(
        "upgrades",
        "Docker upgraded under load fails no request; what Traefik's and PostgreSQL's upgrades cost is measured",
        "0 failed by Docker's",
        lambda r: (
            f"Docker {failed(r['docker'])}; failing for {r['traefik']['seconds_from_first_to_last_failure']} s by Traefik's, "
            f"{r['postgres']['seconds_from_first_to_last_failure']} s by PostgreSQL's"
        ),
    ),
    Promise(
        "rotations",
        "Each kind of secret is replaced under load; none fails, the old one is refused",
        "0 failed",
        lambda r: (
            f"{sum(isinstance(found, dict) for found in r.values())} kinds; {everywhere(r, 'failed')} of "
            f"{everywhere(r, 'sent'):,} requests failed"
        ),
    ),
    Promise(
        "reports",
        "A release and a failed one each leave a report that says how they went",
        "no request to elsewhere, no script error",
        lambda r: (
            f"{sum(len(found['asked_for']) + len(found['script_errors']) for found in (r['released'], r['failed']))} of both"
        ),
    ),
    Promise(
        "pipeline",
        "The workflows' steps, from a commit to production by one digest; what fails ends where it should",
        "commit to production < 10 min",
        lambda r: (
            f"{sum(r['green']['seconds'].values()):.0f} s with a part of the tests in the place of all; "
            f"{len(r) - 1} failures end where they should"
        ),
        (*PRODUCT, ".github", "pipeline", "scripts"),
    ),
    Promise(
        "import-real",
        "SignUpFlow's real SQLite file moves to PostgreSQL, on servers in two zones; the app works on it",
        "35 of 35 tables equal",
        lambda r: (
            f"{min(row['tables_equal'] for row in r['by_server_zone'].values())} of 35 tables equal on "
            f"{len(r['by_server_zone'])} servers"
        ),
        IMPORT,
    ),
    Promise(
        "import-classes",
        "Every class of defect in a SQLite file is carried exactly or refused and named, the target untouched",
        "all",
        lambda r: f"{r['carried_exactly']} carried, {r['refused_and_named']} refused",
        IMPORT,
    ),
    Promise(
        "import-fuzz",
        "Mutated SQLite files end in no traceback",
        "0 tracebacks of 10,000",
        lambda r: f"{r['tracebacks']} of {r['mutations']:,}",
        IMPORT,
    ),
    Promise(
        "import-speed",
        "1.3 million rows are moved and compared as fast as the goal, in little memory",
        "47,000 rows/s",
        lambda r: (
            f"{r['median_rows_per_second']:,} rows/s in {max(run['peak_mb'] for run in r['runs'])} MB"
            + (
                f"; pgloader {r['pgloader']['rows_per_second']:,} in {r['pgloader']['peak_mb']} MB"
                if isinstance(r["pgloader"], dict)
                else ""
            )
        ),
        IMPORT,
    ),
    Promise(
        "import-killed",
        "An import killed at any moment, cut off, or without room on the server leaves the target as it was",
        "all",
        lambda r: f"{sum(row['target_as_before'] for row in r['kills'])} of {len(r['kills'])} kills",
        IMPORT,
    ),
    Promise(
        "import-writer",
        "Somebody who goes on writing during an import is told of; one moment of the file is moved",
        "told",
        lambda r: f"{r['written_in_all']:,} rows written meanwhile",
        IMPORT,
    ),
    Promise(
        "cutover",
        "An old service on SQLite is moved behind the maintenance page; each failure leads back; killed, the next run ends it",
        "0 acknowledged writes lost",
        lambda r: (
            f"{r['large']['rows_in_postgresql']:,} rows; {len(r['rolled_back'])} failures lead back; "
            f"killed at {len(r['killed']['kills'])} steps"
        ),
    ),
    Promise(
        "daily-backup",
        "A daily backup in two places, read back, encrypted; a drill; one table beside the live one; old dumps go",
        "2 places",
        lambda r: f"{len({row['repository'] for row in r['run']['new']})} places",
    ),
    Promise(
        "backup-passphrase",
        "The backups' passphrase is replaced under writes, cut off once: a good backup at every look; the old one opens nothing",
        "a backup at every look; every row restored",
        lambda r: f"{r['there_after_the_restore']:,} of {r['acknowledged']:,} rows from the new store",
    ),
    Promise(
        "restore-writers",
        "A database is restored while somebody writes: to the last change, to a moment, to a replaced one; and killed in it",
        "every acknowledged row is there, or named with where it is kept",
        lambda r: (
            f"{r['acknowledged']:,} acknowledged rows, {r['neither_there_nor_named']} neither there nor named; "
            f"{len(r['kills'])} kills"
        ),
    ),
    Promise(
        "watcher",
        "The watch over backups while the log switches all the time; then an archive that fails and comes back, again and again",
        "0 false alarms in 10,000 looks; each of 10 faults told once, over once",
        lambda r: (
            f"{r['false_alarms']} false alarms in {r['looks']:,} looks; {r['told_once']} of {r['faults']} told once, "
            f"{r['over_once']} over once"
        ),
        ("backup", "signupflow/shared"),
    ),
    Promise(
        "point-in-time",
        "A table dropped under writes: the second before is back, nothing after; a hole in the WAL is told",
        "0 lost, 0 later rows",
        lambda r: (
            f"{r['lost']} of {r['acknowledged_before']} acknowledged rows lost, {r['later_rows']} of "
            f"{r['acknowledged_after']} later ones; {r['seconds_with_checks_and_full_backup']:.0f} s"
        ),
    ),
    Promise(
        "lost-host",
        "A host destroyed under writes is rebuilt from the object storage",
        "< 60 s of writes lost",
        lambda r: f"{r['seconds_lost']} s lost; {r['seconds_in_all']:.0f} s from the empty host to HTTPS",
    ),
    Promise(
        "backup-faults",
        "Faults of backups: each its exit code, one alert, one all-clear, no success, nothing expired",
        "all",
        lambda r: f"{len(r)} faults",
    ),
    Promise(
        "backup-kills",
        "SIGKILL at random moments of backups and restores: nothing lost, no lock left, the next run succeeds",
        "all",
        lambda r: f"{sum(row['next_run'] == 0 for row in r['kills'])} of {len(r['kills'])} next runs succeed",
    ),
    Promise(
        "backup-speed",
        "5 GB: backup and restore beside pgBackRest by hand, pg_dump and pg_restore; p99 while a backup runs",
        "backup and restore < 30 min",
        lambda r: (
            f"{r['database_bytes'] / 1e9:.1f} GB: backup {next(iter(r['ways'].values()))['seconds']:.0f} s, p99 "
            f"{r['p99']['without']['p99_ms']:.0f} to {r['p99']['while_a_backup_runs']['p99_ms']:.0f} ms meanwhile"
        ),
    ),
    Promise(
        "retention",
        "400 days of daily backups: each day exactly the last 30, and the one that reaches their first second; 7 on the host",
        "31; 7",
        lambda r: f"{r['kept_in_object_storage_at_most']}; {r['kept_on_the_host_at_most']} of {r['days']} days",
        ("backup", "deploys", "signupflow/backup", "signupflow/settings", "Dockerfile"),
    ),
    Promise(
        "staging-copy",
        "Real data restored to staging: no personal value of the source is found, two tenants work on it",
        "0 found",
        lambda r: f"{r['found_in_staging']} of {r['personal_values']} personal values found",
    ),
    Promise(
        "guides",
        "The guides' command blocks run as they stand; those that do not run say why",
        "0 fail",
        lambda r: (
            f"{len(r['executed'])} run, {sum(bool(row['exit']) for row in r['executed'])} fail, "
            f"{len(r['not_executed'])} say why not"
        ),
        (*PRODUCT, "CONTRIBUTING.md", "README.md", "docs", ":!docs/EVIDENCE.md", ":!docs/evidence"),
    ),
    Promise(
        "looking",
        "Status, history and doctor tell what is; a history that was altered is noticed",
        "noticed",
        lambda r: f"{len(r['hosts'])} hosts, {r['records']} records, exit {r['damaged_exit']} when one was altered",
    ),
    Promise(
        "init",
        "`signupflow init` takes two bare hosts to files that deploy, as its transcript has it",
        "healthy",
        lambda r: f"{len(r['steps'])} steps, {r['health']}",
        (*PRODUCT, "scripts"),
    ),
    Promise(
        "tests",
        "`make test` passes in a fresh clone three times in a row, the last beside a busy loop",
        "< 20 min, without the busy loop",
        lambda r: (
            f"{', '.join(str(run['minutes']) for run in r['runs'])} min; installed before in {r['installed_in_minutes']} min"
        ),
        (*PRODUCT, "Makefile", "lab", "scripts", "tests"),
    ),
)
BY_LINE = {promise.line: promise for promise in PROMISES}
