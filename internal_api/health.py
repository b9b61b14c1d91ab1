"""How this process is, dependency by dependency, and how it is put together."""

import os
import platform
import time
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from core.web.dependencies import ResourcesDep

router = APIRouter()
_started = time.monotonic()


@router.get("/health")
async def show_health(request: Request, resources: ResourcesDep) -> dict[str, Any]:
    """Each dependency with its state and how long it took to answer."""
    checks = await request.state.health.check()
    return {
        "status": "ok" if all(check.ok for check in checks) else "degraded",
        "draining": request.state.draining.is_set(),
        "process": os.getpid(),
        "uptime_seconds": round(time.monotonic() - _started, 1),
        "python": platform.python_version(),
        "mode": "embedded" if resources.settings.embedded else "scale-out",
        "checks": [asdict(check) for check in checks],
    }


@router.get("/topology")
async def show_topology(request: Request, resources: ResourcesDep) -> dict[str, Any]:
    """Mounts, their middleware outermost first, handlers, the auth rule of every operation, and start-up times."""
    topology: dict[str, Any] = request.state.topology()
    return {**topology, "lifespan": {name: round(seconds * 1000, 2) for name, seconds in resources.timings.items()}}
