"""`signupflow backup` and `signupflow restore`: the commands of the database's host, by ssh, with their own exit codes."""

from __future__ import annotations

import shlex
import sys

import click

from signupflow.cli.hosts import become, hosts_of, ssh
from signupflow.cli.running import Target, target_options

# Options that are not ours are the host command's.
PASSED = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=PASSED)
@target_options
@click.argument("words", nargs=-1, type=click.UNPROCESSED, help="One of the commands above, and its options; default run.")
def backup(words: tuple[str, ...], target: Target) -> None:
    """Run a backup, or look at backups: run, list, check, status, dump, drill, watch. On the database host;
    `signupflow backup -- --help` explains each.

    Exit codes: 0 ok, 1 the database cannot be reached, 2 dump failed, 3 upload failed, 4 verification failed, 5 not enough
    disk, 6 bad configuration.
    """
    _on_database_host("signupflow-backup", words or ("run",), target)


@click.command(context_settings=PASSED)
@target_options
@click.argument("words", nargs=-1, type=click.UNPROCESSED, help="Options of the restore, or `kept`, or `discard NAME`.")
def restore(words: tuple[str, ...], target: Target) -> None:
    """Bring the database back, to any second. `signupflow restore -- --help` lists its options.

    Exit codes: 0 ok, 1 backup not found, 2 backup fails verification, 3 the database cannot be reached, 4 restore failed,
    5 integrity check failed, 6 not confirmed, 7 bad configuration.
    """
    _on_database_host("signupflow-restore", words, target)


def _on_database_host(program: str, words: tuple[str, ...], target: Target) -> None:
    ((name, data),) = hosts_of(target, "db")[:1]
    become(ssh(name, data, shlex.join([program, *words]), terminal=sys.stdin.isatty() and sys.stdout.isatty()))


ALL = (backup, restore)
