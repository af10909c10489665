"""Attempts turn after turn, saved as a run saves its answers, and made again."""

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import numpy as np
import pytest
from commands import call
from PIL import Image

from envs.execution.execute import simulate
from envs.records import Plan
from envs.scene import Scene, SceneConfig
from policy.model.prompt import build_prompt
from policy.playground.engine import Engine
from policy.playground.films import FilmStore
from policy.playground.queue import BusyError, WorkQueue
from policy.playground.saving import Saver
from policy.playground.session import Session
from policy.rollout.rebuild import read_episodes, rebuild

PUSH = SceneConfig(name="push_to_target", split="test", seed=5)


async def push_twice(engine: Engine, saver: Saver) -> list[np.ndarray]:
    """Pushes half the way, then the rest; returns what was seen before each."""
    session = Session(engine, saver, max_turns=2)
    scene = await session.load(PUSH)
    reference = scene.reference
    assert reference is not None
    start, goal = np.array(reference.waypoints[0]), np.array(reference.waypoints[-1])
    half = [(start + share * (goal - start)).tolist() for share in (0, 0.25, 0.5)]
    (x1, y1, x2, y2), numbers = reference.box, np.round(1000 * np.array(half))
    box = [round(1000 * value) for value in (x1, y1, x2, y2)]
    path = numbers.astype(int).tolist()
    text = f'<answer>{{"affordance": {box}, "trajectory": {path}}}</answer>'
    assert not session.can_go_on and session.turn == 1
    await session.execute(text, "hand")
    assert session.can_go_on and session.turn == 1
    session.save()
    seen = [scene.observation.image, (await session.try_again()).observation.image]
    assert session.turn == 2
    await session.execute(await session.answer("expert"), "expert")
    assert session.attempt is not None and not session.can_go_on
    assert session.save() == 2
    return seen


def test_policies_are_told_what_is_known(engine: Engine) -> None:
    told = replace(engine, knowledge="parts")
    tool = SceneConfig(name="use_tool", split="test", seed=1)
    for one, knowledge in ((told, "parts"), (engine, "none")):
        scene = asyncio.run(one.make_scene(tool))
        asked = asyncio.run(one.ask(scene, "pass me the hammer at the red mat"))
        assert asked.observation.knowledge == knowledge
        assert bool(build_prompt(asked.observation).knowledge) == (one is told)


@pytest.fixture(scope="module")
def played(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("played") / "run"
    first, second = asyncio.run(push_twice(engine, Saver(path)))
    assert (first != second).any()
    return path


def test_what_was_saved_happens_again(played: Path) -> None:
    [rows] = read_episodes(played)
    assert [row["turn"] for row in rows] == [1, 2]
    assert [row["policy"] for row in rows] == ["hand", "expert"]
    assert not rows[0]["success"]
    for row, rollout in zip(rows, rebuild(rows), strict=True):
        [outcome] = simulate(rollout.scene, [rollout.answer])
        assert (outcome.success, outcome.reason) == (row["success"], row["reason"])
        kept = Image.open(played / "evaluations" / "images" / row["image"])
        difference = np.array(kept).astype(int) - rollout.scene.observation.image
        assert np.abs(difference).mean() < 4  # as far as JPEG can tell


def test_what_was_saved_is_kept_when_more_is_saved(
    engine: Engine, played: Path
) -> None:
    async def add() -> None:
        session = Session(engine, Saver(played), max_turns=1)
        await session.load(SceneConfig(name="press_button", split="test"))
        await session.execute("nonsense", "hand")
        session.save()

    before = read_episodes(played)
    asyncio.run(add())
    after = read_episodes(played)
    assert after[: len(before)] == before and after[-1][0]["reason"] == "no_answer"


def test_record_shows_what_was_saved(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("record", f"run_dir={played}", "out=sheet.png", "n=1") == ""
    width, height = Image.open("sheet.png").size
    assert width > height  # two turns side by side
    assert "no evaluations/ with answers" in call("record", "run_dir=nowhere")


def test_words_that_no_candidate_has_are_judged_as_before(engine: Engine) -> None:
    async def ask() -> str:
        session = Session(engine, Saver(Path("unused")), max_turns=1)
        scene = await session.load(PUSH)
        assert session.judged_as == ""
        await session.ask("make it tidy")
        assert session.get_scene().instruction == "make it tidy"
        return session.judged_as if scene.goal == session.get_scene().goal else ""

    assert asyncio.run(ask())


def test_a_disk_that_is_full_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def save() -> None:
        raise OSError("No space left on device")

    page: Any = pytest.importorskip("policy.playground.page.page")
    said: list[str] = []
    monkeypatch.setattr(page.ui, "notify", lambda words, **_: said.append(words))
    shown = object.__new__(page.Page)
    shown._tasks, shown._one_thing = set(), asyncio.Lock()
    shown._progress = Mock()
    asyncio.run(shown._do(save))
    assert said == ["No space left on device"]


def test_an_execution_that_cannot_be_had_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page: Any = pytest.importorskip("policy.playground.page.page")
    monkeypatch.setattr(page.ui, "notify", lambda *_, **__: None)
    shown = object.__new__(page.Page)
    shown._tasks, shown._one_thing = set(), asyncio.Lock()
    shown._progress, shown._verdict, shown._session = Mock(), Mock(), Mock()
    shown._words, shown._text, shown._by = Mock(value=""), Mock(value=""), "hand"
    shown._session.execute = AsyncMock(side_effect=BusyError("try again later"))
    asyncio.run(shown._do(shown._execute))
    told = [call[0] for call in shown._verdict.method_calls]
    assert told == ["wait", "clear"]


def test_few_wait_and_a_dead_process_is_replaced() -> None:
    async def crowd(queue: WorkQueue) -> list[object]:
        runs = [queue.run(pow, 2, n) for n in range(4)]
        return list(await asyncio.gather(*runs, return_exceptions=True))

    async def kill(queue: WorkQueue) -> None:
        with pytest.raises(BusyError, match="came to no end: its process ended"):
            await queue.run(os._exit, 1)
        assert await queue.run(pow, 2, 5) == 32

    with WorkQueue(workers=1, waiting=2) as queue:
        *done, refused = asyncio.run(crowd(queue))
        assert done == [1, 2, 4] and isinstance(refused, BusyError)
        asyncio.run(kill(queue))


def test_the_oldest_film_is_forgotten(engine: Engine) -> None:
    scene = asyncio.run(engine.make_scene(PUSH))
    assert scene.reference is not None
    films, plan = FilmStore(kept=2), scene.reference.to_plan()
    names = [films.order(scene, plan) for _ in range(3)]
    films.put(names[0], b"late")
    assert films.find(names[0]) is None and films.get(names[0]) is None
    assert films.find(names[2]) == (scene, plan)


def test_a_film_is_made_once_for_all_who_ask(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Plan] = []

    def make(scene: Scene, plan: Plan) -> bytes:
        made.append(plan)
        if len(made) == 1:
            raise BusyError("not now")
        return b"film"

    async def watch() -> None:
        scene = await engine.make_scene(PUSH)
        assert scene.reference is not None
        name = engine.films.order(scene, scene.reference.to_plan())
        refused = [engine.film(name) for _ in range(2)]
        for one in await asyncio.gather(*refused, return_exceptions=True):
            assert isinstance(one, BusyError)
        assert len(made) == 1
        first, *others = [asyncio.create_task(engine.film(name)) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()  # its player went away
        assert await asyncio.gather(*others) == [b"film", b"film"]
        assert await engine.film(name) == b"film" and len(made) == 2

    monkeypatch.setattr("policy.playground.engine.make_film", make)
    asyncio.run(watch())
    assert not engine._filming


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("max_turns=0", "max_turns is 0"),
        ("port=70000", "port is 70000; valid: 0 to 65535"),
        ("env=offline", "unknown env 'offline'; valid: close_drawer"),
        ("camera.fovy=400", "camera.fovy is 400"),
        ("camera.fovy=[40,50]", "camera.fovy is [40, 50]; the page takes one number"),
    ],
)
def test_what_cannot_be_served_is_said_at_the_start(argument: str, said: str) -> None:
    assert said in call("play", argument)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 cannot be opened" in call(
            "play", f"port={port}"
        )
