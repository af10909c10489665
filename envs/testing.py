"""The contract every scene keeps, as functions that a plug-in's tests call.

    from envs.testing import check_scene

    def test_my_scene():
        check_scene("my_scene")

A broken contract is an AssertionError that names scene, split, seed and rule.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.answer import format_answer, parse_answer
from envs.camera import project
from envs.contract import check_goal, check_state
from envs.execute import simulate
from envs.labels import label_parts, mark_target
from envs.lift import lift
from envs.records import Plan, Waypoints
from envs.scene import (
    IMAGE_SIZE,
    Scene,
    add_heights,
    make_reference,
    make_scene,
    sample_scene,
)
from envs.turns import follow_up


def check_scene(name: str, n: int = 4) -> None:
    """Checks a registered scene on the first seeds of train and ood.

    Args:
        name: The scene.
        n: Seeds of each split.

    Raises:
        AssertionError: The first rule that does not hold.
    """
    for split in ("train", "ood"):
        for seed in range(n):
            scene = make_scene(name, split, seed)
            check_looks(scene)
            check_determinism(scene)
            check_failures(scene)
            if scene.reference is not None:
                check_reference(scene)


def check_looks(scene: Scene) -> None:
    """What is named exists, the state is finite, and what matters can be seen."""
    check_goal(scene.where, scene.goal, scene.model)
    check_state(scene.where, scene.data)
    labelled = bool(label_parts(scene).any()) or not scene.part_classes
    _require(scene, labelled, "some pixels belong to the part classes")
    _require(scene, bool(mark_target(scene).any()), "the named part can be seen")


def check_determinism(scene: Scene) -> None:
    """Equal arguments give equal scenes, bit for bit."""
    again = make_scene(scene.name, scene.split, scene.seed)
    same = np.array_equal(scene.observation.image, again.observation.image)
    _require(scene, same, "the same seed shows the same image")
    _require(scene, scene.goal == again.goal, "the same seed asks the same")
    _require(scene, scene.reference == again.reference, "the expert answers alike")


def check_failures(scene: Scene) -> None:
    """What does nothing, or the same for another candidate, does not succeed."""
    corner = Plan(box=(0.0, 0.0, 0.02, 0.02), waypoints=((0.01, 0.01),) * 3)
    _require(scene, not _succeeds(scene, corner), "doing nothing fails")
    if scene.reference is None:
        return
    still = replace(
        scene.reference.to_plan(), waypoints=scene.reference.waypoints[:1] * 3
    )
    _require(scene, not _succeeds(scene, still), "staying at the first waypoint fails")
    for goal in scene.others:
        other = make_reference(scene, goal)
        wrong = other is not None and _succeeds(scene, other.to_plan())
        _require(scene, not wrong, f"the answer to {goal.instruction!r} fails")


def check_reference(scene: Scene) -> None:
    """The expert's answer lies in the image, survives text, and succeeds."""
    reference = scene.reference
    assert reference is not None
    plan = parse_answer(format_answer(reference.to_plan()))
    assert isinstance(plan, Plan)
    points = np.array([*reference.waypoints, reference.box[:2], reference.box[2:]])
    inside = bool(((points >= 0) & (points <= 1)).all())
    _require(scene, inside, "box and path lie in the image")
    outcome = simulate(scene, [plan])[0]
    _require(scene, outcome.success, f"the expert succeeds ({outcome.reason})")
    _require(scene, 0 <= outcome.progress <= 1, "progress lies in 0..1")
    skill, camera = scene.task.skill, scene.observation.camera
    [way] = lift(scene.model, scene.data, camera, [plan], skill)
    assert isinstance(way, Waypoints)
    if skill.plane == "upright":
        shown = project(camera, way.position_world)
        error = np.ptp(shown - np.array(plan.waypoints), axis=0).max()
        _require(scene, error < 0.02, "the lifted path is seen where it was drawn")


def measure_expert(
    name: str, split: str, n: int, waypoints: str = "2d"
) -> tuple[float, int]:
    """Returns the expert's success on n draws before filtering, and how many count.

    Draws whose named part is hidden do not count: no policy could see it.
    """
    drawn = [sample_scene(name, split, seed) for seed in range(n)]
    scenes = [scene for scene in drawn if scene is not None]
    if waypoints == "3d":
        scenes = [add_heights(scene) for scene in scenes]
    good = [_succeeds(s, s.reference.to_plan()) for s in scenes if s.reference]
    return float(np.mean(good)), len(good)


def measure_honesty(name: str, n: int) -> dict[str, float]:
    """Returns how often the expert's answer fails when a part of it is spoiled.

    "box": moved to the left or right by its own width; "path": cut at half its length.
    """
    failed: dict[str, list[bool]] = {"box": [], "path": []}
    for seed in range(n):
        scene = make_scene(name, "test", seed)
        if scene.reference is None:
            continue
        plan = scene.reference.to_plan()
        width = plan.box[2] - plan.box[0]
        for side in (-width, width):
            moved = replace(plan, box=_move_box(plan.box, side, 0.0))
            failed["box"].append(not _succeeds(scene, moved))
        failed["path"].append(not _succeeds(scene, _cut_path(plan)))
    return {name: float(np.mean(values)) for name, values in failed.items() if values}


def measure_recovery(name: str, n: int) -> tuple[float, int]:
    """Returns how often a second answer of the expert succeeds, and of how many.

    The first one is spoiled by a shift of 30 pixels; where it succeeds all the same,
    the scene does not count.
    """
    solved: list[bool] = []
    for seed in range(n):
        scene = make_scene(name, "test", seed)
        if scene.reference is None:
            continue
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        spoiled = _shift(scene.reference.to_plan(), 30 / IMAGE_SIZE, angle)
        if not _succeeds(scene, spoiled):
            left = follow_up(scene, spoiled)
            solved.append(left.reference is not None and _expert_solves(left))
    return float(np.mean(solved)), len(solved)


def _expert_solves(scene: Scene) -> bool:
    assert scene.reference is not None
    return _succeeds(scene, scene.reference.to_plan())


def _move_box(
    box: tuple[float, float, float, float], x: float, y: float
) -> tuple[float, float, float, float]:
    x1, x2 = np.clip([box[0] + x, box[2] + x], 0, 1).tolist()
    y1, y2 = np.clip([box[1] + y, box[3] + y], 0, 1).tolist()
    return x1, y1, x2, y2


def _cut_path(plan: Plan) -> Plan:
    """The first half of a path, in as many points."""
    path = np.array(plan.waypoints)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    at = np.linspace(0, length[-1] / 2, len(path))
    half = np.stack([np.interp(at, length, column) for column in path.T], axis=1)
    return replace(plan, waypoints=tuple(tuple(point) for point in half.tolist()))


def _shift(plan: Plan, distance: float, angle: float) -> Plan:
    """The whole plan moved in the image, kept inside it."""
    x, y = distance * np.cos(angle), distance * np.sin(angle)
    path = np.array(plan.waypoints)
    path[:, :2] = np.clip(path[:, :2] + (x, y), 0.001, 0.999)
    return replace(
        plan,
        box=_move_box(plan.box, x, y),
        waypoints=tuple(tuple(point) for point in path.tolist()),
    )


def _succeeds(scene: Scene, plan: Plan) -> bool:
    """Whether a plan succeeds after text and back."""
    return simulate(scene, [parse_answer(format_answer(plan))])[0].success


def _require(scene: Scene, holds: bool, rule: str) -> None:
    assert holds, f"{scene.where}: not so: {rule}"
