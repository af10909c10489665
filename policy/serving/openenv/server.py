"""The server of OpenEnv in front of a scene, with its limits."""

# OpenEnv is an extra, which those who check the types need not have.
# pyright: reportMissingImports=false

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from openenv.core.env_server import create_app
from openenv.core.env_server.types import ConcurrencyConfig

from policy.playground.door import HOST
from policy.playground.guard import LOOPBACK, Guard
from policy.serving.openenv.environment import Make, SceneEnvironment
from policy.serving.openenv.simulators import BusyError, Simulators
from policy.serving.openenv.wire import Progress, Said, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Who is served, and how many.

    Attributes:
        sessions: Episodes at once, each with a simulator thread of its own.
        idle_s: Seconds without a reset or a step after which a session ends.
        host: Address that is listened to; of the loopback only this machine is served.

    Raises:
        ValueError: No session, or no second.
    """

    sessions: int = 4
    idle_s: float = 600.0
    host: str = HOST

    def __post_init__(self) -> None:
        """Refuse limits that let nobody in."""
        for name in ("sessions", "idle_s"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 needed")


def build_app(make: Make, name: str, limits: Limits) -> FastAPI:
    """Returns OpenEnv's application of a scene.

    Args:
        make: Makes a Gymnasium environment of the scene.
        name: The scene's.
        limits: Who is served, and how many.
    """
    app = create_app(
        partial(SceneEnvironment, make, name, Simulators(limits.sessions)),
        Said,
        Seen,
        env_name=name,
        concurrency_config=ConcurrencyConfig(
            max_concurrent_envs=limits.sessions, session_timeout=limits.idle_s
        ),
        state_cls=Progress,
    )
    app.add_exception_handler(BusyError, partial(_refuse, 503))
    app.add_exception_handler(ValueError, partial(_refuse, 400))
    app.add_middleware(Guard, local_only=limits.host in LOOPBACK)
    return app


async def _refuse(status: int, request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status)
