"""What both command lines share: progress, exit codes, an orderly end."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from types import FrameType
from typing import Any, NoReturn

import click

from backup.exit_codes import Backup, Failed
from backup.notify import UntoldError
from backup.server import GoneError, Server

STARTED = time.monotonic()


def tell(text: str) -> None:
    """A line of progress, with the seconds since the command began."""
    click.echo(f"{time.monotonic() - STARTED:7.1f} s  {text}")


def tell_aside(text: str) -> None:
    """The same on standard error, where standard output is for data."""
    click.echo(f"{time.monotonic() - STARTED:7.1f} s  {text}", err=True)


class Group(click.Group):
    """Ends with the code of the contract, and says why in one line. `gone`: the code when there is no database container."""

    gone, unforeseen, busy = 1, 2, 6

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Failed as failed:
            _end(int(failed.code), str(failed))
        except GoneError as error:
            _end(self.gone, str(error))
        except (UntoldError, TimeoutError) as error:
            _end(self.busy, str(error))
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            click.echo(f"Error: unforeseen, please report: {type(error).__name__}: {error}", err=True)
            traceback.print_exc()
            sys.exit(self.unforeseen)


def _end(code: int, why: str) -> NoReturn:
    click.echo(f"Error: {why}", err=True)
    sys.exit(code)


def run(main: click.Group, name: str) -> None:
    """The program. SIGTERM ends pgBackRest in PostgreSQL's container as well: `systemctl stop` leaves nothing at work."""

    def stopped(number: int, frame: FrameType | None) -> NoReturn:
        try:
            Server().end("^pgbackrest .*(backup|verify)|^pg_dump ")
        finally:
            raise Failed(Backup.DUMP_FAILED, "stopped by systemd or an operator; nothing was expired")

    signal.signal(signal.SIGTERM, stopped)
    main(prog_name=name)
