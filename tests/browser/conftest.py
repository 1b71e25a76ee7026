"""The application's own PostgreSQL serves the browser's tests too."""

from tests.app.conftest import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
