"""One execution in three dimensions, where graspo[viz] is installed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

viser = pytest.importorskip("viser", reason="no mjviser: pip install 'graspo[viz]'")
pytest.importorskip("mjviser", reason="no mjviser: pip install 'graspo[viz]'")

import envs  # noqa: E402
from policy.playground.page.view import Stage  # noqa: E402


@pytest.fixture
def server() -> Iterator[Any]:
    started = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    yield started
    started.stop()


def look(stage: Stage) -> list[np.ndarray]:
    """Where what moves is drawn: rigid bodies, then the corners of a cloth."""
    rigid = [group.handle.batched_positions for group in stage._drawn._mesh_groups]
    cloth = [one._mesh.vertices for one in stage._cloths]
    return [np.array(places) for places in (*rigid, *cloth)]


@pytest.mark.parametrize("env", ["pick_mug", "fold_cloth"])
def test_what_the_expert_moves_is_seen_to_move(server: Any, env: str) -> None:
    scene = envs.make_scene(env, split="test", seed=1)
    assert scene.reference is not None
    before = scene.data.qpos.copy()
    stage = Stage(scene, envs.format_answer(scene.reference.to_plan()), server)
    first = look(stage)
    stage.show(stage.length - 1)
    last = look(stage)
    assert stage.length > 25
    moved = [np.abs(a - b).max() for a, b in zip(first, last, strict=True)]
    assert max(moved) > 0.03 and (env != "fold_cloth" or moved[-1] > 0.03)  # m
    np.testing.assert_array_equal(scene.data.qpos, before)


def test_an_answer_that_is_none_shows_the_scene(server: Any) -> None:
    scene = envs.make_scene("press_button", split="test", seed=1)
    assert Stage(scene, "nonsense", server).length >= 1
