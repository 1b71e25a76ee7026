"""`python -m app.openapi_document` prints what docs/openapi.json holds."""

import json
import sys

from app.main import create_app
from app.settings import Settings


def main() -> int:
    app = create_app(Settings.from_environment({"APP_ENV": "development", "DATABASE_URL": "sqlite://"}))
    json.dump(app.openapi(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
