"""Draws scenes, and keeps those whose target is visible and whose expert succeeds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import mujoco

from envs.answer import format_answer, parse_answer
from envs.contract import (
    NoUsableSample,
    blaming,
    check_expert,
    check_goal,
    check_goals,
    check_state,
)
from envs.execution.execute import simulate
from envs.randomization.factors import MAX_ATTEMPTS, Factors, scene_rng
from envs.registry import check_without, get_task, has_expert
from envs.sampling.labels import find_box
from envs.sampling.reference import add_heights, make_reference
from envs.sampling.settle import Restless, settle
from envs.scene import Scene, SceneConfig, observe, segment
from envs.state import State
from envs.task import Goal, Task
from envs.world import build_world

PATIENCE_S = 40.0  # of trying draws, beyond the first few
FEW = 10
UNREACHABLE = "unreachable"  # the executor's reason
TRIED = 5  # draws all of which an arm that can do a scene does not fail to reach
MAX_NAMED = 4  # kinds of reasons in an error


@dataclass(frozen=True, slots=True)
class Unusable:
    """A draw that is no scene.

    Attributes:
        reason: Why.
        restless: Whether things in it do not rest: the fault of who built it.
        afar: Whether the expert's path is out of the arm's reach.
    """

    reason: str
    restless: bool = False
    afar: bool = False


def make_scene(name: str, split: str = "train", seed: int = 0, **options: Any) -> Scene:
    """Samples a scene whose target is visible and whose expert succeeds.

    Args:
        name: A registered scene.
        split: Which ranges and seeds: "train", "test" or "ood".
        seed: Any integer >= 0; equal arguments give equal scenes, bit for bit.
        **options: Further fields of `SceneConfig`: shifts, waypoints, colours,
            stretched, camera, robot, look, without, knowledge, verify, draw.

    Raises:
        ValueError: An unknown name, split, axis, colour, kind of waypoints or robot, or
            a camera that cannot be.
        NoUsableSample: No draw can be used: the task is at fault. Says why, and stops
            after 50 draws, or after 40 s and ten; after five if the robot reaches none.
    """
    return sample_scene(SceneConfig(name=name, split=split, seed=seed, **options))


def sample_scene(config: SceneConfig) -> Scene:
    """Samples the scene of a configuration; see `make_scene`."""
    known, start = config.draw is not None, time.monotonic()
    reasons: list[str] = []
    afar = 0
    for draw in [config.draw] if known else range(MAX_ATTEMPTS):
        drawn = draw_scene(replace(config, draw=draw))
        if isinstance(drawn, Scene) and config.verify and not known:
            drawn = _verify(drawn)
        if isinstance(drawn, Scene):
            return drawn if config.waypoints == "2d" else add_heights(drawn)
        reasons.append(drawn.reason)
        afar += drawn.afar
        if afar == len(reasons) == TRIED:
            break
        if len(reasons) >= FEW and time.monotonic() - start > PATIENCE_S:
            break
    if afar == len(reasons) and not known:
        raise NoUsableSample(
            f"{config.where}: this robot cannot do it: where the expert goes is out of "
            f"its reach in each of {afar} draws"
        )
    tried = f"draw {config.draw}" if known else f"{len(reasons)} attempts"
    why = _count(reasons)
    raise NoUsableSample(f"{config.where}: no usable sample in {tried}: {why}")


def draw_scene(config: SceneConfig) -> Scene | Unusable:
    """One draw, not verified, or why it cannot be used."""
    task: Task = get_task(config.name)()
    check_expert(config.where, task)
    check_without([config.name], config.without)
    factors = _make_factors(config)
    goals, model = _build(config, task, factors)
    if not goals:
        return Unusable("there is nothing to ask")
    state = settle(model)
    if isinstance(state, Restless):
        return Unusable(state.reason, restless=True)
    check_state(config.where, state.data)
    goal = _choose_goal(goals, state, factors)
    scene = Scene(
        config=config,
        task=task,
        goal=goal,
        others=tuple(other for other in goals if other.aim != goal.aim),
        state=state,
        first=state,
        observation=replace(
            observe(state, goal.instruction), knowledge=config.knowledge
        ),
        seen=segment(state),
        reference=None,
    )
    if not has_expert(config.name):
        return scene
    reference = make_reference(scene, goal)
    if reference is not None:
        return replace(scene, reference=reference)
    if find_box(scene, goal.part) is None:
        return Unusable(f"too little of {goal.part!r} can be seen")
    return Unusable("the expert's path leaves the image")


def _make_factors(config: SceneConfig) -> Factors:
    return Factors(
        scene_rng(config.name, config.split, config.seed, config.draw or 0),
        config.split,
        config.shifts,
        config.colours,
        config.stretched,
        config.without,
    )


def _build(
    config: SceneConfig, task: Task, factors: Factors
) -> tuple[list[Goal], mujoco.MjModel]:
    """What can be asked, and the compiled scene."""
    spec = build_world(factors, config.camera, config.robot, config.look)
    with blaming(config.where, "build"):
        built = task.build(spec, factors)
        model = spec.compile()
    goals = check_goals(config.where, built)
    for goal in goals:
        check_goal(config.where, goal, model)
    return goals, model


def _choose_goal(goals: list[Goal], state: State, factors: Factors) -> Goal:
    """What is asked: of three or more targets, the rightmost only when held out."""
    along = {goal.target: state.position(goal.target)[1] for goal in goals}
    last = max(along, key=lambda target: along[target])
    common = [goal for goal in goals if len(along) < 3 or goal.target != last]
    rare = [goal for goal in goals if len(along) < 3 or goal.target == last]
    return factors.choice("target", common, rare)


def _verify(scene: Scene) -> Scene | Unusable:
    """The scene, unless there is an expert and its answer fails."""
    if scene.reference is None:
        return scene
    answer = parse_answer(format_answer(scene.reference.to_plan()))
    outcome = simulate(scene, [answer], threads=1)[0]
    if outcome.success:
        return scene
    afar = outcome.reason == UNREACHABLE
    return Unusable(f"the expert's answer fails ({outcome.reason})", afar=afar)


def _count(reasons: Sequence[str]) -> str:
    """The reasons with how often each was given, the most frequent first."""
    counted = Counter(reasons).most_common()
    said = [f"{count} x {reason}" for reason, count in counted[:MAX_NAMED]]
    return ", ".join(said) + (", ..." if len(counted) > MAX_NAMED else "")
