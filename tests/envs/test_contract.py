"""A scene at fault is found by one error: scene, split, seed and rule."""

from __future__ import annotations

import sys
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from envs import format_answer, objects, registry, simulate
from envs.contract import NoUsableSample, SceneError
from envs.predicates import conclude, rise
from envs.randomization.colours import PALETTE
from envs.records import Plan
from envs.sampling import sample
from envs.sampling.sample import make_scene
from envs.skills import LIFT
from envs.task import Goal, Task
from envs.testing import check_rest, check_scene


class Good:
    """A scene that keeps the contract."""

    skill = LIFT
    part_classes = ("block",)
    goal = Goal(instruction="lift the block", target="block", part="block")

    def build(self, spec, factors):
        x = float(factors.rng.uniform(0.45, 0.55))
        body = objects.add_free_body(spec, "block", x, 0.0, yaw=0.3)
        objects.add_block(body, (0.02, 0.02, 0.03), PALETTE["red"])
        return self.goal

    def expert(self, goal, state, rng):
        return state.position("block") + np.outer([0.05, 0.1, 0.15], [0, 0, 1])

    def judge(self, goal, run):
        up = rise(run, "block")
        return conclude({"not_lifted": up < 0.05}, progress=up / 0.05)


class NoSuchPart(Good):
    goal = replace(Good.goal, part="block/knob")


class OddWords(Good):
    goal = replace(Good.goal, instruction="lift the 块")


class NoWords(Good):
    goal = replace(Good.goal, instruction=" ")


class RaisingBuild(Good):
    def build(self, spec, factors):
        return {}["block"]


class RaisingExpert(Good):
    def expert(self, goal, state, rng):
        raise ZeroDivisionError("lost my way")


class OldExpert(Good):
    def expert(self, goal, model, data, rng):
        return np.zeros((3, 3))


class ShortPath(Good):
    def expert(self, goal, state, rng):
        return np.zeros((2, 3))


class EndlessPath(Good):
    def expert(self, goal, state, rng):
        return np.full((3, 3), np.nan)


class Exploding(Good):
    def build(self, spec, factors):
        body = spec.worldbody.add_body(name="block", pos=(0.5, 0, 0.1))
        body.add_joint(type=mujoco.mjtJoint.mjJNT_SLIDE, damping=-1e9)
        objects.add_block(body, (0.02, 0.02, 0.03), PALETTE["red"])
        return self.goal


class RaisingJudge(Good):
    def judge(self, goal, run):
        raise KeyError("block2")


class ExitingJudge(Good):
    def judge(self, goal, run):
        sys.exit(0)


class WritingJudge(Good):
    def judge(self, goal, run):
        run.before.qpos[:] = np.nan
        return super().judge(goal, run)


def judging(name, value):
    def judge(self, goal, run):
        return replace(Good.judge(self, goal, run), **{name: value})

    return type(f"Odd{name.title()}", (Good,), {"judge": judge})


def building(value):
    return type("Odd", (Good,), {"build": lambda self, spec, factors: value})


class NoVerdict(Good):
    def judge(self, goal, run):
        return None


BROKEN = {
    NoSuchPart: r"no body 'block/knob' \(Goal.part\); bodies: block, world",
    OddWords: r"characters outside the charset: \['块'\]",
    NoWords: r"the instruction is empty",
    RaisingBuild: r"build raised KeyError\('block'\)",
    RaisingExpert: r"expert raised ZeroDivisionError\('lost my way'\)",
    OldExpert: r"takes \(goal, model, data, rng\); write expert\(self, goal, state",
    ShortPath: r"the expert's path is \[2, 3\], not \[3..10, 3\]",
    EndlessPath: r"the expert's path is not finite",
    Exploding: r"the physics diverged",
    RaisingJudge: r"judge raised KeyError\('block2'\)",
    ExitingJudge: r"judge raised SystemExit\(0\)",
    WritingJudge: r"judge writes into run\.before, where plans start",
    NoVerdict: r"judge returned None",
    building("lift"): r"build returned 'lift', not a Goal",
    building({"lift": 1}): r"build returned \{'lift': 1\}, not a Goal",
    building(None): r"build returned None, not a Goal",
    building(replace(Good.goal, thought=5)): r"a Goal's words are \[5\], not text",
    judging("progress", float("nan")): r"judge's progress is nan, not in 0\.\.1",
    judging("progress", float("inf")): r"judge's progress is inf, not in 0\.\.1",
    judging("progress", None): r"judge's progress is None, not in 0\.\.1",
    judging("success", "yes"): r"judge's success is 'yes', not of bool",
    judging("reason", lambda: 1): r"judge's reason is <function",
}


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def register(task: type) -> str:
    registry.register_scene("of_a_user")(task)
    return "of_a_user"


def test_a_scene_that_keeps_the_contract_passes() -> None:
    check_scene(register(Good), n=2)


@pytest.mark.parametrize("task", BROKEN, ids=lambda task: task.__name__)
def test_a_broken_rule_is_named_with_scene_split_and_seed(task: type) -> None:
    where = r"scene 'of_a_user', split 'ood', seed 7: .*"
    with pytest.raises(SceneError, match=where + BROKEN[task]):
        make_scene(register(task), "ood", seed=7)


def test_the_suite_finds_an_expert_that_fails() -> None:
    class Lazy(Good):
        def expert(self, goal, state, rng):
            return state.position("block") + np.outer([0.06] * 3, [0, 0, 1])

    said = r"no usable sample in (\d+) attempts: \1 x the expert's answer fails \(not_l"
    with pytest.raises(NoUsableSample, match=said):
        check_scene(register(Lazy), n=1)


class Cans(Good):
    """Two cans; `spots` says where, x, y and z."""

    spots = ((0.5, 0.0, 0.0), (0.5, 0.1, 0.0))
    goal = replace(Good.goal, target="can0", part="can0")

    def build(self, spec, factors):
        for i, (x, y, z) in enumerate(self.spots):
            can = objects.add_free_body(spec, f"can{i}", x, y, yaw=0.0, z=z)
            objects.add_can(can, 0.02, 0.06, PALETTE["red"])
        return self.goal

    def expert(self, goal, state, rng):
        return state.middle("can0") + np.outer([0, 0.05, 0.1], [0, 0, 1])

    def judge(self, goal, run):
        up = rise(run, "can0")
        return conclude({"not_lifted": up < 0.05}, progress=up / 0.05)


@pytest.mark.parametrize("height", [0.002, 0.06, 0.6])
def test_what_is_put_too_high_has_come_to_rest_in_the_snapshot(height: float) -> None:
    class Hovering(Cans):
        spots = ((0.5, 0.0, height),)

    scene = make_scene(register(Hovering))
    assert abs(scene.state.position("can0")[2]) < 0.003
    check_rest(scene)


RESTLESS = {
    "body 'can0' is put inside 'table'": ((0.5, 0.0, -0.03),),
    "body 'can[01]' is put inside 'can[01]'": ((0.5, 0.0, 0.0), (0.5, 0.03, 0.0)),
    "body 'can0' is not on the table": ((1.2, 0.0, 0.0),),
    "body 'can0' does not come to rest": ((0.5, 0.0, 30.0),),
}


@pytest.mark.parametrize("rule", RESTLESS)
def test_what_does_not_rest_is_named(rule: str) -> None:
    class Restless(Cans):
        spots = RESTLESS[rule]

    where = r"scene 'of_a_user', split 'train', seed 0: "
    with pytest.raises(AssertionError, match=where + rule):
        check_scene(register(Restless), n=1)
    said = rf"no usable sample in (\d+) attempts: \1 x {rule}"
    with pytest.raises(NoUsableSample, match=where + said):
        make_scene("of_a_user")


def test_a_scene_that_seldom_rests_is_drawn_again_and_found_by_its_test() -> None:
    class Seldom(Cans):
        def build(self, spec, factors):
            deep = factors.rng.uniform() < 0.7
            self.spots = ((0.5, 0.0, -0.03 if deep else 0.0),)
            return super().build(spec, factors)

    scenes = [make_scene(register(Seldom), seed=seed) for seed in range(3)]
    assert any(scene.config.draw for scene in scenes)
    with pytest.raises(AssertionError, match="is put inside 'table'"):
        check_scene("of_a_user", n=3)


def test_reasons_are_counted_and_the_most_frequent_comes_first() -> None:
    class Fickle(Cans):
        def build(self, spec, factors):
            self.spots = ((0.5, 0.0, 0.0 if factors.rng.uniform() < 0.2 else -0.03),)
            return super().build(spec, factors)

        def judge(self, goal, run):
            return conclude({"never": True}, progress=0.0)

    said = r": \d+ x body 'can0' is put inside 'table', \d+ x the expert's .*\(never\)$"
    with pytest.raises(NoUsableSample, match=said):
        make_scene(register(Fickle))


def test_attempts_end_before_patience_does(monkeypatch: pytest.MonkeyPatch) -> None:
    class Never(Cans):
        def build(self, spec, factors):
            return []

    monkeypatch.setattr(sample, "PATIENCE_S", 0.0)
    with pytest.raises(NoUsableSample, match="10 attempts: 10 x there is nothing to a"):
        make_scene(register(Never))


def test_the_suite_finds_a_judge_that_anything_satisfies() -> None:
    class Generous(Good):
        def judge(self, goal, run):
            return conclude({}, progress=1.0)

    with pytest.raises(AssertionError, match="seed 0: not so: doing nothing fails"):
        check_scene(register(Generous), n=1)


class WithoutExpert:
    skill = LIFT
    part_classes = ("block",)
    build, goal = Good.build, Good.goal

    def judge(self, goal, run):
        return conclude({}, progress=1.0)


class WithoutExpertOrJudgement(WithoutExpert):
    def judge(self, goal, run):
        raise KeyError("block2")


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        (WithoutExpert, AssertionError, "seed 0: not so: doing nothing fails"),
        (WithoutExpertOrJudgement, SceneError, "judge raised KeyError"),
    ],
)
def test_the_suite_calls_the_judge_where_there_is_no_expert(task, error, message):
    with pytest.raises(error, match=message):
        check_scene(register(task), n=1)


def test_the_suite_finds_a_scene_that_differs_from_itself() -> None:
    class Restless(Good):
        count = 0

        def build(self, spec, factors):
            Restless.count += 1
            body = objects.add_free_body(spec, "block", 0.5, 0.0, yaw=Restless.count)
            objects.add_block(body, (0.02, 0.02, 0.03), PALETTE["red"])
            return self.goal

    with pytest.raises(AssertionError, match="the same seed shows the same image"):
        check_scene(register(Restless), n=1)


def test_a_class_without_a_judge_is_no_scene() -> None:
    class Unfinished:
        skill = LIFT

        def build(self, spec, factors): ...

    with pytest.raises(SceneError, match=r"Unfinished has no 'judge'; needed: skill"):
        register(Unfinished)


def test_what_task_only_describes_is_no_member() -> None:
    class Described(Task):
        skill, build, judge, goal = LIFT, Good.build, Good.judge, Good.goal

    assert make_scene(register(Described)).reference is None
    with pytest.raises(SceneError, match=r"Empty has no 'judge'"):
        register(type("Empty", (Task,), {"skill": LIFT, "build": Good.build}))


def test_an_edited_scene_takes_its_own_place() -> None:
    edited = type("Good", (Good,), {"__module__": Good.__module__})
    register(Good)
    register(edited)
    assert registry.get_task("of_a_user") is edited
    with pytest.raises(ValueError, match="already registered by"):
        register(type("Other", (Good,), {}))
    with pytest.raises(ValueError, match=r"would be graspo/OfAUser-v0, as 'of_a_user'"):
        registry.register_scene("of-a-user")(Good)


def test_a_scene_without_part_classes_or_expert_still_runs() -> None:
    class Bare:
        skill, build, judge, goal = LIFT, Good.build, Good.judge, Good.goal

    scene = make_scene(register(Bare))
    assert scene.reference is None and scene.part_classes == ()
    check_scene("of_a_user", n=1)
    nothing = Plan(box=(0.0, 0.0, 0.1, 0.1), waypoints=((0.05, 0.05),) * 3)
    assert not simulate(scene, [nothing])[0].success
    assert format_answer(nothing)
