"""What a policy is measured on is nothing that it was trained on."""

from __future__ import annotations

from itertools import pairwise

import pytest
from commands import ROOT

import envs
from envs.randomization.factors import Factors
from envs.sampling.suite import digest, load_suite
from policy.rollout.scene_source import choose_seeds

SUITE = load_suite(ROOT / "assets" / "suite.json")


def list_frozen(split: str) -> set[int]:
    kinds = [seeds for (_, other), seeds in SUITE.scenes.items() if other == split]
    return {seed for seeds in kinds for seed in seeds}


def test_no_seed_of_a_training_is_measured():
    """`split=ood` is trained on and measured in; its scenes differ in their seeds."""
    trained = {
        seed
        for run in range(10)
        for step in range(1, 241)
        for seed in choose_seeds(32, run, step)
    }
    measured = {*choose_seeds(520, 0)} | list_frozen("ood")
    assert len(trained) > 76_000 and not trained & measured


@pytest.mark.parametrize("name", ["pick_mug", "press_button"])
def test_the_same_seed_is_another_scene_in_another_split(name):
    seeds = SUITE.list_seeds(name, "test")[:2]
    frozen = {one.digest for one in SUITE.scenes[name, "test"].values()}
    for split in ("train", "ood"):
        made = [envs.make_scene(name, split, seed, verify=False) for seed in seeds]
        assert not {digest(scene) for scene in made} & frozen


def test_no_factor_is_held_out_and_trained_on(monkeypatch):
    drawn: dict[tuple, None] = {}
    pick = Factors._pick

    def note(self, axis, train, held_out):
        as_key = tuple(tuple(map(str, one)) for one in (train, held_out))
        drawn.setdefault((axis, *as_key))
        return pick(self, axis, train, held_out)

    monkeypatch.setattr(Factors, "_pick", note)
    for name in envs.list_scenes():
        envs.make_scene(name, "ood", seed=1, verify=False)
    assert {axis for axis, *_ in drawn} == {
        *("shape", "colour", "position", "lighting"),
        *("camera", "distractors", "wording", "target"),
    }
    for axis, train, held_out in drawn:
        if axis == "target" and "Goal(" in train[0]:
            continue  # which of the things that stand there is asked for
        if {*train} <= {"block", "can"}:
            continue  # whose sizes and proportions are held out, not that there are two
        assert train != held_out and overlap(train, held_out) == 0, (axis, train)


def overlap(train: tuple[str, ...], held_out: tuple[str, ...]) -> float:
    """Length that two ranges share, or how many choices two lists share."""
    try:
        ranges = sorted((*map(float, one),) for one in (train, held_out))
    except ValueError:
        return len({*train} & {*held_out})
    if any(len(one) != 2 for one in ranges):
        return len({*train} & {*held_out})
    [(first, second)] = pairwise(ranges)
    return max(0.0, first[1] - second[0])
