"""The database that a migration runs on. It has credentials of its own (the migrator's) and needs no other setting."""

from collections.abc import Mapping

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.settings import SettingsError, read_variable


def migration_url(environment: Mapping[str, str]) -> URL:
    """From DATABASE_URL or DATABASE_URL_FILE. Raises SettingsError."""
    try:
        text = read_variable(environment, "DATABASE_URL")
        if text is None:
            raise ValueError("is required for a migration and not set; set it, or DATABASE_URL_FILE to a file that holds it")
        url = make_url(text)
    except ArgumentError:
        raise SettingsError(["DATABASE_URL is not a database URL"]) from None
    except ValueError as fault:
        raise SettingsError([f"DATABASE_URL {fault}"]) from None
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg2")
    return url
