"""The JSON interface, for other programs and for tests without a browser.

    GET  /api/scene?env=&split=&seed=             what is seen and asked
    POST /api/execute {env, split, seed, text}    what came of an answer
    POST /api/answer {env, split, seed, policy}   what a policy says
    GET  /api/film/<id>.mp4                       the execution

Each but the last also takes `shifts`, `azimuth`, `elevation`, `distance`, `fovy`,
`robot`, `look` and `instruction`.
Coordinates in texts are whole numbers from 0 to 1000, those of boxes and waypoints
fractions of the image. What cannot be answered has a status of 4xx, or 503 where too
much is waiting, and `{"error": <one sentence>}`.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from envs.answer import parse_answer
from envs.records import ParseFailure, Plan
from envs.registry import get_task
from envs.scene import Scene
from envs.video.drawing import Image8
from policy.data.images import encode_png
from policy.playground.engine import Engine
from policy.playground.queue import BusyError
from policy.playground.wire import (
    Ask,
    Execute,
    Question,
    describe_mistake,
    describe_question,
)

FILM_URL = "/api/film/{}.mp4"


def build_api(engine: Engine) -> APIRouter:
    """Returns the routes, in front of an engine."""
    router = APIRouter(prefix="/api")

    @router.get("/scene")
    async def scene(question: Annotated[Question, Query()]) -> dict[str, Any]:
        made = await _make(engine, question)
        height, width = made.observation.image.shape[:2]
        image = encode_image(made.observation.image)
        seen = {"image": image, "width": width, "height": height}
        return describe_question(made) | seen

    @router.post("/execute")
    async def execute(question: Execute) -> dict[str, Any]:
        made = await _make(engine, question)
        done = await engine.execute(made, question.text)
        plan, film = done.answer, None
        if done.moved and isinstance(plan, Plan):
            film = FILM_URL.format(engine.films.order(made, plan))
        return {
            "success": done.outcome.success,
            "reason": done.outcome.reason,
            "parse_failure": plan.reason if isinstance(plan, ParseFailure) else None,
            "terms": done.reward.terms,
            "reward": done.reward.total,
            "lifted": done.lifted,
            "film": film,
        }

    @router.post("/answer")
    async def answer(question: Ask) -> dict[str, Any]:
        text = await engine.answer(question.policy, await _make(engine, question))
        plan = parse_answer(text)
        read = isinstance(plan, Plan)
        return {
            "text": text,
            "box": plan.box if read else None,
            "waypoints": plan.waypoints if read else None,
        }

    @router.get("/film/{name}.mp4")
    async def film(name: str, request: Request) -> Response:
        made = await engine.film(name)
        if not made:
            raise HTTPException(404, "no such film, or no more: execute it again")
        return _serve(made, request.headers.get("range", ""))

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def unknown(rest: str) -> Response:
        raise HTTPException(
            404, "nothing is here: GET /api/scene, POST /api/execute or /api/answer"
        )

    return router


def explain_mistakes(app: FastAPI) -> None:
    """Makes what goes wrong one sentence, with a status that says whose fault it is."""

    def answer(status: int, sentence: object) -> JSONResponse:
        return JSONResponse({"error": str(sentence)}, status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return answer(422, describe_mistake(error.errors()))

    @app.exception_handler(ValueError)
    async def wrong(_: Request, error: ValueError) -> Response:
        return answer(422, error)

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return answer(503, error)

    @app.exception_handler(HTTPException)
    async def missing(_: Request, error: HTTPException) -> Response:
        return answer(error.status_code, error.detail)


def encode_image(image: Image8) -> str:
    """Returns an [H, W, 3] image as the data URL of a PNG file."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"


async def _make(engine: Engine, question: Question) -> Scene:
    get_task(question.env)
    try:
        return await engine.make_scene(question.to_config(), question.instruction)
    except RuntimeError as error:  # no usable scene: a camera that sees nothing
        raise ValueError(str(error)) from error


def _serve(film: bytes, wanted: str) -> Response:
    """A film, or the part of it that a player asked for, as those of Apple must."""
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "max-age=3600"}
    found = re.fullmatch(r"bytes=(\d{1,12})-(\d{0,12})", wanted)
    if not found:
        return Response(film, media_type="video/mp4", headers=headers)
    start, end = int(found[1]), min(int(found[2] or len(film)), len(film) - 1)
    if start > end:
        raise HTTPException(416, f"the film has {len(film)} bytes")
    headers["Content-Range"] = f"bytes {start}-{end}/{len(film)}"
    return Response(film[start : end + 1], 206, headers, "video/mp4")
