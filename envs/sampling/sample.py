"""Draws scenes, and keeps those whose target is visible and whose expert succeeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mujoco

from envs.answer import format_answer, parse_answer
from envs.contract import blaming, check_expert, check_goal, check_state
from envs.execution.execute import simulate
from envs.randomization.factors import MAX_ATTEMPTS, Factors, scene_rng
from envs.registry import get_task, has_expert
from envs.robot import arm
from envs.sampling.reference import add_heights, make_reference
from envs.scene import Scene, SceneConfig, observe, segment
from envs.state import State
from envs.task import Goal, Task
from envs.world import build_world

SETTLE_STEPS = 25  # 0.1 s: objects are placed at rest, this lets contacts form


def make_scene(name: str, split: str = "train", seed: int = 0, **options: Any) -> Scene:
    """Samples a scene whose target is visible and whose expert succeeds.

    Args:
        name: A registered scene.
        split: Which ranges and seeds: "train", "test" or "ood".
        seed: Any integer >= 0; equal arguments give equal scenes, bit for bit.
        **options: Further fields of `SceneConfig`: shifts, waypoints, colours,
            stretched, camera, verify, draw.

    Raises:
        ValueError: An unknown name, split, axis, colour or kind of waypoints, or a
            camera that cannot be.
        RuntimeError: No usable scene in 50 attempts: the task is at fault.
    """
    return sample_scene(SceneConfig(name=name, split=split, seed=seed, **options))


def sample_scene(config: SceneConfig) -> Scene:
    """Samples the scene of a configuration; see `make_scene`."""
    known = config.draw is not None
    for draw in [config.draw] if known else range(MAX_ATTEMPTS):
        scene = draw_scene(replace(config, draw=draw))
        if scene is None or (config.verify and not known and not _succeeds(scene)):
            continue
        return scene if config.waypoints == "2d" else add_heights(scene)
    tried = f"draw {config.draw}" if known else f"{MAX_ATTEMPTS} attempts"
    raise RuntimeError(
        f"{config.where}: no usable sample in {tried}; is the target visible and the "
        "expert able?"
    )


def draw_scene(config: SceneConfig) -> Scene | None:
    """One draw, not verified; None if the target part is hidden or nothing to do."""
    task: Task = get_task(config.name)()
    check_expert(config.where, task)
    rng = scene_rng(config.name, config.split, config.seed, config.draw or 0)
    factors = Factors(
        rng, config.split, config.shifts, config.colours, config.stretched
    )
    goals, model = _build(config, task, factors)
    if not goals:
        return None
    state = _settle(model)
    check_state(config.where, state.data)
    goal = _choose_goal(goals, state, factors)
    scene = Scene(
        config=config,
        task=task,
        goal=goal,
        others=tuple(other for other in goals if other.aim != goal.aim),
        state=state,
        observation=observe(state, goal.instruction),
        seen=segment(state),
        reference=None,
    )
    if not has_expert(config.name):
        return scene
    reference = make_reference(scene, goal)
    return None if reference is None else replace(scene, reference=reference)


def _build(
    config: SceneConfig, task: Task, factors: Factors
) -> tuple[list[Goal], mujoco.MjModel]:
    """What can be asked, and the compiled scene."""
    spec = build_world(factors, config.camera)
    with blaming(config.where, "build"):
        built = task.build(spec, factors)
        goals = [built] if isinstance(built, Goal) else list(built)
        model = spec.compile()
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


def _settle(model: mujoco.MjModel) -> State:
    data = mujoco.MjData(model)
    data.qpos[:7] = arm.HOME
    data.ctrl[:7] = arm.HOME
    for _ in range(SETTLE_STEPS):
        mujoco.mj_step(model, data)
    data.qvel[:] = 0
    data.qpos[:7] = arm.HOME
    data.time = 0
    mujoco.mj_forward(model, data)
    return State(model, data)


def _succeeds(scene: Scene) -> bool:
    """Whether the expert's answer does, if there is an expert."""
    if scene.reference is None:
        return not has_expert(scene.name)
    answer = parse_answer(format_answer(scene.reference.to_plan()))
    return simulate(scene, [answer], threads=1)[0].success
