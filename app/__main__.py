"""`python -m app`: checks the settings, then serves. Bad settings: one message on stderr, exit 78 (sysexits' EX_CONFIG)."""

import os
import sys

from app.settings import Settings, SettingsError


def main() -> int:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return os.EX_CONFIG
    # Imported late so that bad settings are reported before anything heavy loads.
    from app.server import serve

    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
