"""The server: page and JSON interface behind one guard, on the loopback alone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from envs.scene import SceneConfig
from policy.playground.api import build_api, explain_mistakes
from policy.playground.engine import Engine
from policy.playground.guard import Guard
from policy.playground.page.page import Page
from policy.playground.saving import Saver
from policy.playground.session import Session

HOST = "127.0.0.1"
BACKLOG = 128  # connections
MAX_MESSAGE = 2**20  # bytes of a web socket's message


def build_app(engine: Engine) -> FastAPI:
    """Returns the JSON interface, guarded; without documentation, which loads fonts."""
    app = FastAPI(title="Graspo", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(build_api(engine))
    explain_mistakes(app)
    app.add_middleware(Guard)
    return app


def add_page(
    app: FastAPI, engine: Engine, saver: Saver, start: SceneConfig, max_turns: int
) -> None:
    """Adds the page, at /."""

    async def show() -> None:
        session = Session(engine, saver, max_turns)
        page = Page(session, start, engine.policies.names, str(saver.path))
        await ui.context.client.connected()
        await page.start()

    ui.run_with(
        app,
        root=show,
        title="Graspo playground",
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
        favicon="🤏",
    )


def listen(port: int) -> socket.socket:
    """Opens a port of the loopback; 0 takes any that is free.

    Raises:
        ValueError: It is taken, or no port.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port is {port}; valid: 0 to {2**16 - 1}")
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen(BACKLOG)  # who comes before the server is up waits
    except OSError as error:
        opened.close()
        raise ValueError(
            f"port {port} cannot be opened ({error.strerror}): choose another, "
            f"port={port + 1}, or port=0 for any"
        ) from error
    return opened


def serve(app: FastAPI, opened: socket.socket, say: Callable[[str], None]) -> None:
    """Answers until Ctrl-C.

    Args:
        app: What answers.
        opened: Where; closed in the end.
        say: Told the address.
    """
    say(f"http://{HOST}:{opened.getsockname()[1]}  (Ctrl-C stops)")
    config = uvicorn.Config(app, log_level="warning", ws_max_size=MAX_MESSAGE)
    with opened, suppress(KeyboardInterrupt):  # uvicorn passes it on, once it is done
        uvicorn.Server(config).run(sockets=[opened])
