"""The application, put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from app import errors, logs, openapi
from app.database import Database
from app.health.report import HealthReporter
from app.lifecycle import Lifecycle
from app.metrics import Metrics
from app.middleware import RequestMiddleware
from app.rate_limit import RateLimits
from app.routes import (
    assignments,
    availability,
    event_teams,
    events,
    invitations,
    operations,
    organizations,
    people,
    sessions,
    signups,
    teams,
)
from app.sentry import Reporter
from app.settings import Settings
from app.stream import routes as stream
from app.stream.feed import feed_of
from app.stream.hub import Hub
from app.web.failures import FailurePages
from app.web.install import install as install_pages


def create_app(settings: Settings) -> FastAPI:
    """An application of its own: settings in, nothing global but the logging. It does not need the database to start."""
    logs.configure(settings.log_level)
    database = Database(settings)
    lifecycle = Lifecycle()
    reporter = Reporter(settings)
    hub = Hub()
    feed = feed_of(database, hub)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feed.start(asyncio.get_running_loop())
        lifecycle.started = True
        yield
        lifecycle.draining = True
        feed.stop()
        database.close()
        await asyncio.to_thread(reporter.close)

    documented = not settings.is_server
    app = FastAPI(
        title="SignUpFlow",
        version=settings.app_version,
        lifespan=lifespan,
        openapi_url="/openapi.json" if documented else None,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.lifecycle = lifecycle
    app.state.reporter = reporter
    app.state.hub = hub
    app.state.health = HealthReporter(settings, database, lifecycle)
    app.state.metrics = Metrics(settings, database)
    app.state.metrics.watch("signupflow_streams_open", "Live streams open.", lambda: hub.open)
    app.state.metrics.watch("signupflow_streams_paused", "1 while changes cannot be heard.", lambda: hub.paused)
    app.state.rate_limits = RateLimits(settings)
    errors.install(app)
    openapi.install(app)
    app.include_router(operations.router)
    tenants = (
        organizations,
        sessions,
        invitations,
        people,
        availability,
        teams,
        events,
        event_teams,
        signups,
        assignments,
        stream,
    )
    for routes in tenants:
        app.include_router(routes.router)
    install_pages(app)
    app.add_middleware(
        RequestMiddleware, settings=settings, metrics=app.state.metrics, limits=app.state.rate_limits, reporter=reporter
    )
    app.add_middleware(FailurePages)
    return app
