"""The server: page and JSON interface behind one guard, on the loopback alone."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

from envs.scene import SceneConfig
from policy.playground.api import build_api, explain_mistakes
from policy.playground.engine import Engine
from policy.playground.guard import Guard
from policy.playground.page.page import Page
from policy.playground.saving import Saver
from policy.playground.session import Session


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
