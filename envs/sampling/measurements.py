"""How able a scene's expert is, how honest its judge, and how often it recovers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.answer import format_answer, parse_answer
from envs.execution.execute import simulate
from envs.records import Plan
from envs.robot import DEFAULT
from envs.sampling.reference import add_heights
from envs.sampling.sample import draw_scene, make_scene
from envs.sampling.turns import follow_up
from envs.scene import IMAGE_SIZE, Scene, SceneConfig

SPOILED = 30  # pixels by which a first answer is off


def succeeds(scene: Scene, plan: Plan) -> bool:
    """Whether a plan succeeds after text and back."""
    return simulate(scene, [parse_answer(format_answer(plan))])[0].success


def measure_expert(
    name: str, split: str, n: int, waypoints: str = "2d", robot: str = DEFAULT
) -> tuple[float, int]:
    """Returns the expert's success on n draws before filtering, and how many count.

    Draws that sampling drops before the expert is tried do not count: whose named part
    is hidden, say, or in which things do not come to rest.
    """
    drawn = [
        draw_scene(SceneConfig(name=name, split=split, seed=seed, robot=robot))
        for seed in range(n)
    ]
    scenes = [scene for scene in drawn if isinstance(scene, Scene)]
    if waypoints == "3d":
        scenes = [add_heights(scene) for scene in scenes]
    good = [succeeds(s, s.reference.to_plan()) for s in scenes if s.reference]
    return float(np.mean(good)), len(good)


def measure_honesty(name: str, n: int, robot: str = DEFAULT) -> dict[str, float]:
    """Returns how often the expert's answer fails when a part of it is spoiled.

    "box": moved to the left or right by its own width; "path": cut at half its length.
    """
    failed: dict[str, list[bool]] = {"box": [], "path": []}
    for seed in range(n):
        scene = make_scene(name, "test", seed, robot=robot)
        if scene.reference is None:
            continue
        plan = scene.reference.to_plan()
        width = plan.box[2] - plan.box[0]
        for side in (-width, width):
            moved = replace(plan, box=plan.move(side, 0.0).box)
            failed["box"].append(not succeeds(scene, moved))
        failed["path"].append(not succeeds(scene, _cut_path(plan)))
    return {name: float(np.mean(values)) for name, values in failed.items() if values}


def measure_recovery(name: str, n: int, robot: str = DEFAULT) -> tuple[float, int]:
    """Returns how often a second answer of the expert succeeds, and of how many.

    The first one is spoiled by a shift of 30 pixels. Where it succeeds all the same, or
    disturbs what had to stay, which is beyond repair, the scene does not count.
    """
    solved: list[bool] = []
    for seed in range(n):
        scene = make_scene(name, "test", seed, robot=robot)
        if scene.reference is None:
            continue
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        right, down = SPOILED / IMAGE_SIZE * np.array([np.cos(angle), np.sin(angle)])
        spoiled = scene.reference.to_plan().move(right, down)
        if not succeeds(scene, spoiled) and not _disturbs(scene, spoiled):
            left = follow_up(scene, spoiled)
            solved.append(left.reference is not None and _expert_solves(left))
    return float(np.mean(solved)), len(solved)


def _disturbs(scene: Scene, plan: Plan) -> bool:
    """Whether the verdict is owed to what had to stay."""
    alone = replace(scene, goal=replace(scene.goal, bystanders=()))
    verdicts = [simulate(one, [plan])[0] for one in (scene, alone)]
    return verdicts[0].reason != verdicts[1].reason


def _expert_solves(scene: Scene) -> bool:
    assert scene.reference is not None
    return succeeds(scene, scene.reference.to_plan())


def _cut_path(plan: Plan) -> Plan:
    """The first half of a path, in as many points."""
    path = np.array(plan.waypoints)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    at = np.linspace(0, length[-1] / 2, len(path))
    half = np.stack([np.interp(at, length, column) for column in path.T], axis=1)
    return replace(plan, waypoints=tuple(tuple(point) for point in half.tolist()))
