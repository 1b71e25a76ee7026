"""The deployment of this process: made once, and handed to the operations that need it."""

from __future__ import annotations

import functools

from operations.deployment import DeploymentContext


@functools.cache
def deployment() -> DeploymentContext:
    return DeploymentContext()
