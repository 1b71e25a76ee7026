"""The one door to the app: which database its migrations run on."""

from __future__ import annotations

from collections.abc import Mapping


def database_url(environment: Mapping[str, str]) -> str:
    """DATABASE_URL, or what DATABASE_URL_FILE holds, as libpq takes it. Raises ValueError."""
    # Half a second to import, which a run that was told its target is spared.
    from app.migration_url import migration_url
    from app.settings import SettingsError

    try:
        return migration_url(environment).set(drivername="postgresql").render_as_string(hide_password=False)
    except SettingsError as error:
        raise ValueError("; ".join(error.faults)) from None
