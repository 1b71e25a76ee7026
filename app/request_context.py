"""What a log line needs to know about the request it belongs to."""

import contextvars
import dataclasses


@dataclasses.dataclass
class RequestContext:
    """Filled while the request is handled. Mutable on purpose: routes run in other threads with a copied context, and
    all copies hold this same object."""

    request_id: str
    client: str
    language: str = "en"
    org_id: str | None = None


current: contextvars.ContextVar[RequestContext | None] = contextvars.ContextVar("request", default=None)
