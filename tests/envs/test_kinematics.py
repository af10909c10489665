"""The robots' batched kinematics, against MuJoCo, mink and the maker's own table."""

import mink
import mujoco
import numpy as np
import pytest

from envs.robot import Robot, get_robot, list_robots
from envs.robot.registry import add_robot
from envs.robot.solver import nearest_yaw

# a [m], d [m], alpha [rad] of the UR5e, as Universal Robots publishes them: turn by the
# joint and go d along z, then go a along x and turn by alpha about it.
UR5E = (
    (0, 0.1625, np.pi / 2),
    (-0.425, 0, 0),
    (-0.3922, 0, 0),
    (0, 0.1333, np.pi / 2),
    (0, 0.0997, -np.pi / 2),
    (0, 0.0996, 0),
)


@pytest.fixture(scope="module", params=list_robots())
def robot(request) -> Robot:
    return get_robot(request.param)


@pytest.fixture(scope="module")
def model(robot):
    """The arm alone."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add_robot(spec, robot.name)
    return spec.compile()


def sample_targets(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Tool poses over the table."""
    rng = np.random.default_rng(0)
    position = rng.uniform([0.36, -0.22, 0.02], [0.65, 0.22, 0.30], (count, 3))
    yaw = [nearest_yaw(y) for y in rng.uniform(-np.pi, np.pi, count)]
    return position, np.array(yaw)


def move(q: float, a: float, d: float, alpha: float) -> np.ndarray:
    """[4, 4] one row of a table in the classic convention."""
    turn, tilt = np.eye(4), np.eye(4)
    turn[:2, :2] = [[np.cos(q), -np.sin(q)], [np.sin(q), np.cos(q)]]
    tilt[1:3, 1:3] = [[np.cos(alpha), -np.sin(alpha)], [np.sin(alpha), np.cos(alpha)]]
    turn[2, 3], tilt[0, 3] = d, a
    return turn @ tilt


def test_the_ur5e_is_the_one_of_the_makers_table():
    robot = get_robot("ur5e")
    for q in np.random.default_rng(0).uniform(robot.low, robot.high, (50, 6)):
        flange = np.linalg.multi_dot([move(*row) for row in np.column_stack([q, UR5E])])
        tool = robot.forward(q[None])[0]
        offset = np.linalg.inv(flange) @ tool
        np.testing.assert_allclose(offset[:3, 3], [0, 0, 0.1528], atol=1e-12)
        np.testing.assert_allclose(offset[:3, 2], [0, 0, 1], atol=1e-12)


def test_forward_kinematics_are_the_models(robot, model):
    data, count = mujoco.MjData(model), len(robot.joints)
    for q in np.random.default_rng(1).uniform(robot.low, robot.high, (20, count)):
        data.qpos[:count] = q
        mujoco.mj_kinematics(model, data)
        pose = robot.forward(q[None])[0]
        site = data.site("arm/tool")
        np.testing.assert_allclose(pose[:3, 3], site.xpos, atol=1e-12)
        np.testing.assert_allclose(pose[:3, :3].ravel(), site.xmat, atol=1e-12)


def test_every_pose_over_the_table_is_reached_within_the_joint_limits(robot):
    position, yaw = sample_targets(400)
    q, reached = robot.solve(position, yaw)
    assert reached.all()
    assert (q >= robot.low).all() and (q <= robot.high).all()
    pose = robot.forward(q)
    np.testing.assert_allclose(pose[:, :3, 3], position, atol=1e-3)
    np.testing.assert_allclose(pose[:, 2, 2], -1, atol=1e-4)
    closing = np.column_stack([np.cos(yaw), np.sin(yaw)])
    np.testing.assert_allclose(pose[:, :2, 1], closing, atol=0.01)


def test_a_tool_that_goes_straight_takes_joints_that_never_jump(robot):
    share = np.linspace(0, 1, 200)[:, None]
    first, last = np.array([[0.36, -0.22, 0.02], [0.65, 0.22, 0.30]])
    for yaw in np.linspace(-np.pi, 0, 9):
        path = first + share * (last - first)
        q, reached = robot.solve(path, np.full(200, yaw))
        assert reached.all()
        assert np.abs(np.diff(q, axis=0)).max() < 0.02


def test_a_solution_is_a_fixed_point_of_mink(robot, model):
    position, yaw = sample_targets(10)
    solutions, _ = robot.solve(position, yaw)
    task = mink.FrameTask("arm/tool", "site", position_cost=1.0, orientation_cost=1.0)
    for q in solutions:
        configuration = mink.Configuration(model, q=np.append(q, [0, 0]))
        task.set_target(to_pose(robot.forward(q[None])[0]))
        assert np.abs(task.compute_error(configuration)).max() < 1e-9


def test_mink_from_home_reaches_the_same_tool_poses(robot, model):
    position, yaw = sample_targets(10)
    solutions, _ = robot.solve(position, yaw)
    for pose in robot.forward(solutions):
        task = mink.FrameTask("arm/tool", "site", 1.0, 1.0, lm_damping=0.1)
        task.set_target(to_pose(pose))
        configuration = mink.Configuration(model, q=np.append(robot.home, [0, 0]))
        limits = [mink.ConfigurationLimit(model)]
        for _ in range(60):
            velocity = mink.solve_ik(
                configuration, [task], 1.0, "daqp", damping=1e-6, limits=limits
            )
            configuration.integrate_inplace(velocity, 1.0)
        assert np.abs(task.compute_error(configuration)).max() < 2e-3


def to_pose(pose: np.ndarray) -> mink.SE3:
    turn = mink.SO3.from_matrix(pose[:3, :3])
    return mink.SE3.from_rotation_and_translation(turn, pose[:3, 3])


@pytest.mark.parametrize("far", [(1.5, 0, 0.1), (0.5, 0, 1.6), (0.02, 0.0, 0.05)])
def test_a_target_out_of_reach_is_reported_and_leaves_the_others_alone(far, robot):
    position, yaw = sample_targets(3)
    alone, _ = robot.solve(position, yaw)
    q, reached = robot.solve(np.vstack([position, far]), np.append(yaw, -1.5))
    assert reached.tolist() == [True, True, True, False]
    np.testing.assert_allclose(q[:3], alone, atol=1e-9)


def test_a_turn_by_half_is_the_same_grasp():
    for yaw in np.linspace(-7, 7, 29):
        near = nearest_yaw(float(yaw))
        assert -np.pi <= near <= 0
        assert np.isclose(np.sin(near - yaw), 0, atol=1e-9)
