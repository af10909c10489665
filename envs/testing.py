"""The contract every scene and robot keeps, as functions that a plug-in's tests call.

    from envs.testing import check_robot, check_scene

    def test_my_scene():
        check_scene("my_scene")

    def test_my_robot():
        check_robot("my_robot")
        check_scene("pick_mug", robot="my_robot")

A broken contract is an AssertionError that names scene, split, seed and rule.
"""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np

from envs.answer import MIN_WAYPOINTS, format_answer, parse_answer
from envs.cameras.camera import project
from envs.cameras.view import View
from envs.contract import blaming, check_goal, check_state
from envs.execution.execute import simulate
from envs.execution.physics import list_force_sensors
from envs.execution.unprojection import unproject
from envs.objects.placement import AREA
from envs.predicates import Execution
from envs.randomization.factors import Factors
from envs.records import Outcome, Plan, Waypoints
from envs.robot import DEFAULT, FINGERS, Robot, get_robot
from envs.robot.robot import TOOL
from envs.robot.solver import point_down
from envs.sampling.labels import find_box, label_parts, mark_target
from envs.sampling.measurements import succeeds
from envs.sampling.reference import make_reference
from envs.sampling.sample import Unusable, draw_scene, make_scene, sample_scene
from envs.sampling.settle import find_drift
from envs.scene import Scene, SceneConfig
from envs.world import build_world


def check_scene(name: str, n: int = 4, robot: str = DEFAULT) -> None:
    """Checks a registered scene on the first seeds of train and ood.

    Args:
        name: The scene.
        n: Seeds of each split.
        robot: Which arm acts.

    Raises:
        AssertionError: The first rule that does not hold.
    """
    for split in ("train", "ood"):
        for seed in range(n):
            check_first_draw(name, split, seed, robot)
            scene = make_scene(name, split, seed, robot=robot)
            check_looks(scene)
            check_rest(scene)
            check_determinism(scene)
            check_failures(scene)
            if scene.reference is not None:
                check_reference(scene)


def check_first_draw(name: str, split: str, seed: int, robot: str) -> None:
    """What is built comes to rest, though sampling would go on to the next draw."""
    config = SceneConfig(name=name, split=split, seed=seed, draw=0, robot=robot)
    drawn = draw_scene(config)
    if isinstance(drawn, Unusable) and drawn.restless:
        raise AssertionError(f"{config.where}: {drawn.reason}")


def check_robot(name: str) -> None:
    """Checks a registered robot: its model, and its kinematics over the table.

    Raises:
        AssertionError: The first rule that does not hold.
    """
    robot = get_robot(name)
    model = build_world(
        Factors(np.random.default_rng(0), "train"), robot=name
    ).compile()
    _check_model(robot, model)
    _check_forward(robot, model)
    _check_solve(robot)


def _check_model(robot: Robot, model: mujoco.MjModel) -> None:
    names = [model.joint(i).name for i in range(model.njnt)]
    wanted = [*robot.joints, *FINGERS]
    _expect(robot, names == wanted, f"its joints are {wanted}, not {names}")
    sliding = (model.jnt_type[-2:] == mujoco.mjtJoint.mjJNT_SLIDE).all()
    _expect(robot, bool(sliding), "its fingers slide")
    count = len(robot.joints) + 1
    _expect(robot, model.nu == count, f"it has {count} actuators, not {model.nu}")
    bodies = [model.body(i).name for i in range(1, model.nbody)]
    odd = [body for body in bodies if not body.startswith("arm/")]
    _expect(robot, not odd, f"its bodies are named arm/..., not {odd}")
    inside = (robot.low <= robot.home) & (robot.home <= robot.high)
    _expect(robot, bool(inside.all()), "home is within its limits")


def _check_forward(robot: Robot, model: mujoco.MjModel) -> None:
    data, count = mujoco.MjData(model), len(robot.joints)
    rng = np.random.default_rng(0)
    for q in rng.uniform(robot.low, robot.high, (10, count)):
        data.qpos[:count] = q
        mujoco.mj_kinematics(model, data)
        pose, tool = robot.forward(q[None])[0], data.site(TOOL)
        same = np.allclose(pose[:3, 3], tool.xpos, atol=1e-6)
        same &= np.allclose(pose[:3, :3].ravel(), tool.xmat, atol=1e-6)
        _expect(robot, bool(same), f"forward is where {TOOL!r} is in the model")


def _check_solve(robot: Robot) -> None:
    rng, (x, y) = np.random.default_rng(0), AREA
    position = rng.uniform((x[0], y[0], 0.02), (x[1], y[1], 0.15), (200, 3))
    yaw = rng.uniform(-np.pi, 0, 200)
    q, reached = robot.solve(position, yaw)
    _expect(robot, bool(reached.any()), "it reaches something on the table")
    pose, down = robot.forward(q[reached]), point_down(yaw[reached])
    miss = np.linalg.norm(pose[:, :3, 3] - position[reached], axis=1)
    _expect(robot, bool((miss < 2e-3).all()), "the tool is where solve brings it")
    turned = np.abs(pose[:, :3, :3] - down).max()
    _expect(robot, bool(turned < 0.02), "the tool points down and closes as asked")
    inside = (q[reached] >= robot.low) & (q[reached] <= robot.high)
    _expect(robot, bool(inside.all()), "solve keeps to the limits")
    alone, _ = robot.solve(position[:1], yaw[:1])
    _expect(robot, np.allclose(alone, q[:1]), "a target does not depend on the others")
    aside, both = robot.solve(position + np.array([1e-3, 0, 0]), yaw)
    jump = np.abs(aside - q)[reached & both].max()
    _expect(robot, bool(jump < 0.1), "a millimetre aside is a small turn away")


def _expect(robot: Robot, holds: bool, rule: str) -> None:
    assert holds, f"robot {robot.name!r}: not so: {rule}"


def check_rest(scene: Scene) -> None:
    """Nothing moves by itself."""
    drifting = find_drift(scene.state)
    _require(scene, not drifting, f"body {drifting!r} stays where it is for a second")


def check_looks(scene: Scene) -> None:
    """What is named exists, the state is finite, and what matters can be seen."""
    check_goal(scene.where, scene.goal, scene.model)
    check_state(scene.where, scene.data)
    labelled = bool(label_parts(scene).any()) or not scene.part_classes
    _require(scene, labelled, "some pixels belong to the part classes")
    _require(scene, bool(mark_target(scene).any()), "the named part can be seen")


def check_determinism(scene: Scene) -> None:
    """Equal arguments give equal scenes, bit for bit."""
    again = sample_scene(scene.config)
    same = np.array_equal(scene.observation.image, again.observation.image)
    _require(scene, same, "the same seed shows the same image")
    _require(scene, scene.goal == again.goal, "the same seed asks the same")
    _require(scene, scene.reference == again.reference, "the expert answers alike")


def check_failures(scene: Scene) -> None:
    """What does nothing, or the same for another candidate, does not succeed."""
    _require(scene, not _judge_idle(scene).success, "doing nothing fails")
    _require(scene, not succeeds(scene, _stay(scene)), "touching the part alone fails")
    if scene.reference is None:
        return
    for goal in scene.others:
        other = make_reference(scene, goal)
        wrong = other is not None and succeeds(scene, other.to_plan())
        _require(scene, not wrong, f"the answer to {goal.instruction!r} fails")


def _judge_idle(scene: Scene) -> Outcome:
    """The verdict where nothing was done."""
    forces = dict.fromkeys(list_force_sensors(scene.model), 0.0)
    run = Execution(
        model=scene.model, before=scene.data, after=scene.data, peak_forces=forces
    )
    with blaming(scene.where, "judge"):
        return scene.task.judge(scene.goal, run)


def _stay(scene: Scene) -> Plan:
    """A plan that goes to the named part and stays there."""
    if scene.reference is not None:
        plan = scene.reference.to_plan()
        return replace(plan, waypoints=plan.waypoints[:1] * MIN_WAYPOINTS)
    box = find_box(scene, scene.goal.part)
    _require(scene, box is not None, "the named part can be seen")
    assert box is not None
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return Plan(box=box, waypoints=(middle,) * MIN_WAYPOINTS)


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
    [way] = unproject(View(scene.state, camera), [plan], skill)
    assert isinstance(way, Waypoints)
    if skill.plane == "upright":
        shown = project(camera, way.position_world)
        error = np.ptp(shown - np.array(plan.waypoints), axis=0).max()
        _require(scene, error < 0.02, "the lifted path is seen where it was drawn")


def _require(scene: Scene, holds: bool, rule: str) -> None:
    assert holds, f"{scene.where}: not so: {rule}"
