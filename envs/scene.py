"""Sampled scenes: the objects, what is seen, what is asked and the expert's answer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import arm, render
from envs.camera import project, read_camera
from envs.colours import PALETTE
from envs.contract import blaming, check_goal, check_path, check_state
from envs.factors import Factors, check_choice, scene_rng
from envs.labels import find_box
from envs.lift import flatten
from envs.records import Observation, Reference
from envs.registry import get_task, has_expert
from envs.task import Goal, Task
from envs.viewpoint import CAMERA, Viewpoint
from envs.world import build_world

IMAGE_SIZE = 224  # pixels, a side of the policy's image
SETTLE_STEPS = 25  # 0.1 s: objects are placed at rest, this lets contacts form
MAX_ATTEMPTS = 50  # at one seed; a sound scene needs 1 or 2
WAYPOINTS = ("2d", "3d")
DEMONSTRATION = MAX_ATTEMPTS  # number of the random stream of the expert's choices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One sampled scene, at rest, with the arm at home.

    Attributes:
        name: Registered name of its task.
        split: "train", "test" or "ood".
        seed: What it was sampled from, with name, split and shifts.
        task: The kind of scene.
        goal: What is asked.
        others: What could be asked instead.
        model: The compiled model.
        data: The snapshot from which every plan starts, kinematics computed. Shared:
            never step it.
        observation: What the policy sees.
        seen: [H, W] id of the geom in each pixel of the image, -1 for none.
        reference: The expert's answer, None for a task without an expert.
    """

    name: str
    split: str
    seed: int
    task: Task
    goal: Goal
    others: tuple[Goal, ...]
    model: mujoco.MjModel
    data: mujoco.MjData
    observation: Observation
    seen: NDArray[np.int16]
    reference: Reference | None

    @property
    def instruction(self) -> str:
        """The task in words, as the policy reads it."""
        return self.observation.instruction

    @property
    def where(self) -> str:
        """What the scene was sampled from, in words, for messages."""
        return _describe(self.name, self.split, self.seed)

    @property
    def part_classes(self) -> tuple[str, ...]:
        """Names of the classes 1, 2, ... of `label_parts`."""
        return getattr(self.task, "part_classes", ())


def make_scene(
    name: str,
    split: str = "train",
    seed: int = 0,
    shifts: Sequence[str] = (),
    verify: bool = True,
    waypoints: str = "2d",
    colours: Mapping[str, str] | None = None,
    stretched: Sequence[str] = (),
    camera: Viewpoint | None = None,
) -> Scene:
    """Samples a scene whose target is visible and whose expert succeeds.

    Args:
        name: A registered scene.
        split: Which ranges and seeds: "train", "test" or "ood".
        seed: Any integer >= 0; equal arguments give equal scenes, bit for bit.
        shifts: Axes that leave their training range, for `split="ood"`; all if empty.
        verify: Execute the expert's answer and draw again if it fails. Without it a
            scene is made three times as fast, for supervised data.
        waypoints: "2d", or "3d" for an expert that writes heights, too; the scene is
            the same, chosen by the expert without heights.
        colours: Names of colours to replace by others, in the image and in the words:
            `{"red": "teal"}`; of `envs.colours.PALETTE`.
        stretched: Axes whose ranges extend further, away from what is held out, for
            more varied training.
        camera: Where it stands instead, `envs.viewpoint`: `{"azimuth": (52, 60)}`.

    Raises:
        ValueError: An unknown name, split, axis, colour or kind of waypoints, or a
            camera that cannot be.
        RuntimeError: No usable scene in 50 attempts: the task is at fault.
    """
    check_choice("waypoints", waypoints, WAYPOINTS)
    for colour in itertools.chain(*(colours or {}).items()):
        check_choice("colour", colour, tuple(PALETTE))
    for attempt in range(MAX_ATTEMPTS):
        scene = sample_scene(
            name, split, seed, shifts, attempt, colours, stretched, camera
        )
        if scene is None or (verify and not _expert_succeeds(scene)):
            continue
        return scene if waypoints == "2d" else add_heights(scene)
    seen_by = f", camera {dict(camera)}" if camera else ""
    raise RuntimeError(
        f"scene {name!r}, split {split!r}, seed {seed}{seen_by}: no usable sample in "
        f"{MAX_ATTEMPTS} attempts; is the target visible and the expert able?"
    )


def sample_scene(
    name: str,
    split: str,
    seed: int,
    shifts: Sequence[str] = (),
    attempt: int = 0,
    colours: Mapping[str, str] | None = None,
    stretched: Sequence[str] = (),
    camera: Viewpoint | None = None,
) -> Scene | None:
    """One draw, not verified; None if the target part is hidden or nothing to do."""
    task: Task = get_task(name)()
    rng = scene_rng(name, split, seed, attempt)
    factors = Factors(rng, split, shifts, colours, stretched)
    where = _describe(name, split, seed)
    goals, model = _build(where, task, build_world(factors, camera), factors)
    if not goals:
        return None
    data = _settle(model)
    check_state(where, data)
    goal = _choose_goal(goals, data, factors)
    scene = Scene(
        name=name,
        split=split,
        seed=seed,
        task=task,
        goal=goal,
        others=tuple(other for other in goals if other.aim != goal.aim),
        model=model,
        data=data,
        observation=observe(model, data, goal.instruction),
        seen=segment(model, data),
        reference=None,
    )
    if not has_expert(name):
        return scene
    reference = make_reference(scene, goal)
    return None if reference is None else replace(scene, reference=reference)


def _build(
    where: str, task: Task, spec: mujoco.MjSpec, factors: Factors
) -> tuple[list[Goal], mujoco.MjModel]:
    """What can be asked, and the compiled scene."""
    with blaming(where, "build"):
        built = task.build(spec, factors)
        goals = [built] if isinstance(built, Goal) else list(built)
        model = spec.compile()
    for goal in goals:
        check_goal(where, goal, model)
    return goals, model


def _describe(name: str, split: str, seed: int) -> str:
    return f"scene {name!r}, split {split!r}, seed {seed}"


def add_heights(scene: Scene) -> Scene:
    """The same scene, asking for waypoints with heights, as its reference has them."""
    asking = replace(scene, observation=replace(scene.observation, waypoints="3d"))
    if scene.reference is None:
        return asking
    return replace(asking, reference=make_reference(asking, scene.goal))


def _choose_goal(goals: list[Goal], data: mujoco.MjData, factors: Factors) -> Goal:
    """What is asked: of three or more targets, the rightmost only when held out."""
    along = {goal.target: float(data.body(goal.target).xpos[1]) for goal in goals}
    last = max(along, key=lambda target: along[target])
    common = [goal for goal in goals if len(along) < 3 or goal.target != last]
    rare = [goal for goal in goals if len(along) < 3 or goal.target == last]
    return factors.choice("target", common, rare)


def make_reference(scene: Scene, goal: Goal) -> Reference | None:
    """The expert's answer to a goal; None if too little of its part is visible."""
    box = find_box(scene, goal.part)
    if box is None:
        return None
    rng = scene_rng(scene.name, scene.split, scene.seed, DEMONSTRATION)
    with blaming(scene.where, "expert"):
        path = scene.task.expert(goal, scene.model, scene.data, rng)
    check_path(scene.where, path)
    camera = scene.observation.camera
    if scene.observation.waypoints == "3d":
        shown = np.column_stack([project(camera, path), path[:, 2]])
    else:
        shown = flatten(camera, path, scene.task.skill)
    if (shown[:, :2] <= 0).any() or (shown[:, :2] >= 1).any():
        return None
    return Reference(
        box=box,
        waypoints=tuple(tuple(point) for point in shown.tolist()),
        thought=goal.thought,
    )


def segment(model: mujoco.MjModel, data: mujoco.MjData) -> NDArray[np.int16]:
    """[H, W] id of the geom in each pixel of the image, -1 for none."""
    geoms = render.render_geoms(model, data, CAMERA, IMAGE_SIZE, IMAGE_SIZE)
    return geoms.astype(np.int16)


def _settle(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:7] = arm.HOME
    data.ctrl[:7] = arm.HOME
    for _ in range(SETTLE_STEPS):
        mujoco.mj_step(model, data)
    data.qvel[:] = 0
    data.qpos[:7] = arm.HOME
    data.time = 0
    mujoco.mj_forward(model, data)
    return data


def observe(
    model: mujoco.MjModel, data: mujoco.MjData, instruction: str, waypoints: str = "2d"
) -> Observation:
    """What the policy sees of a state whose kinematics are computed."""
    size = IMAGE_SIZE
    return Observation(
        image=render.render(model, data, CAMERA, size, size),
        camera=read_camera(model, data, CAMERA, size, size),
        instruction=instruction,
        waypoints=waypoints,
    )


def _expert_succeeds(scene: Scene) -> bool:
    if scene.reference is None:
        return not has_expert(scene.name)
    from envs.answer import format_answer, parse_answer
    from envs.execute import simulate

    plan = scene.reference.to_plan()
    return simulate(scene, [parse_answer(format_answer(plan))], threads=1)[0].success
