"""Rewards: distances agree with their definitions, mixes with their promises."""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, fields, replace

import hypothesis
import numpy as np
import pytest
import yaml
from commands import ROOT
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, directed_hausdorff

from envs.records import (
    ANSWERS,
    Affordance,
    Outcome,
    ParseFailure,
    Plan,
    Reference,
    Trajectory,
)
from rewards import (
    TERMS,
    WORST_METRICS,
    Metrics,
    RewardMix,
    check_answer,
    compute_metrics,
    part_scores,
    score,
)
from rewards.metrics import (
    compute_frechet,
    compute_giou,
    compute_hausdorff,
    compute_iou,
    resample_path,
)
from rewards.terms import (
    GEOMETRIC,
    HALF_DISTANCE,
    OF_BOX,
    OF_PATH,
    PHYSICAL,
    score_distance,
)

CONF = ROOT / "conf" / "reward"
FAILURE = ParseFailure(reason="not_json")
REFERENCE = Reference(
    box=(0.2, 0.4, 0.4, 0.6), waypoints=((0.3, 0.5), (0.4, 0.3), (0.6, 0.2))
)
EXACT = Plan(box=REFERENCE.box, waypoints=REFERENCE.waypoints)
DONE = Outcome(success=True, reason="", grasped=True, progress=1.0)
MISSED = Outcome(success=False, reason="not_lifted")
HALFWAY = Outcome(success=False, reason="not_lifted", grasped=True, progress=0.5)

unit = st.floats(0, 1).map(lambda x: round(x, 6))
points = st.tuples(unit, unit)
paths = st.lists(points, min_size=3, max_size=10).map(tuple)
corners = st.lists(unit, min_size=2, max_size=2, unique=True).map(sorted)
boxes = st.tuples(corners, corners).map(lambda c: (c[0][0], c[1][0], c[0][1], c[1][1]))
plans = st.builds(Plan, box=boxes, waypoints=paths, well_formed=st.booleans())
references = st.builds(Reference, box=boxes, waypoints=paths)


def given(**arguments):
    """Hypothesis' `given`: the same 100 examples each time, on any machine."""
    fixed = hypothesis.settings(deadline=None, max_examples=100, derandomize=True)
    return lambda test: fixed(hypothesis.given(**arguments)(test))


@st.composite
def outcomes(draw: st.DrawFn, success: bool) -> Outcome:
    return Outcome(
        success=success,
        reason="" if success else "not_lifted",
        grasped=draw(st.booleans()),
        progress=draw(unit),
        contact_force=draw(st.floats(0, 1e4)),
        smoothness=draw(unit),
    )


@st.composite
def mixes(draw: st.DrawFn) -> RewardMix:
    """A mix in which success weighs at least as much as all the rest."""
    weight = st.floats(0, 5).map(lambda x: round(x, 3))
    weights = {term: draw(weight) for term in TERMS if term != "success"}
    extra = draw(st.floats(0.001, 2))
    success = math.fsum(weights.values()) + extra
    return RewardMix(weights=weights | {"success": success}, gated=draw(st.booleans()))


def load_mix(name: str) -> RewardMix:
    config = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return RewardMix(**config)


def shift(plan: Plan, by: float) -> Plan:
    x1, y1, x2, y2 = plan.box
    path = tuple((x + by, y) for x, y in plan.waypoints)
    return replace(plan, box=(x1 + by, y1, x2 + by, y2), waypoints=path)


# Metrics


@given(a=paths, b=paths)
def test_hausdorff_agrees_with_scipy(a, b):
    p, q = np.array(a), np.array(b)
    expected = max(directed_hausdorff(p, q)[0], directed_hausdorff(q, p)[0])
    assert compute_hausdorff(cdist(p, q)) == pytest.approx(expected, abs=1e-12)


@given(a=paths, b=paths)
def test_frechet_agrees_with_its_recursive_definition(a, b):
    distances = cdist(np.array(a), np.array(b))

    @functools.cache
    def leash(i: int, j: int) -> float:
        steps = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        before = [leash(m, n) for m, n in steps if m >= 0 and n >= 0]
        return max(distances[i, j], min(before)) if before else distances[i, j]

    assert compute_frechet(distances) == leash(len(a) - 1, len(b) - 1)


@given(plan=plans, reference=references)
def test_metrics_are_ordered_as_their_definitions_say(plan, reference):
    metrics = compute_metrics(plan, reference)
    assert metrics.hd <= metrics.dfd + 1e-12
    assert metrics.endpoint <= metrics.dfd + 1e-12
    pairs = resample_path(plan.waypoints) - resample_path(reference.waypoints)
    assert metrics.dfd <= np.linalg.norm(pairs, axis=1).max() + 1e-12


@given(plan=plans, reference=references)
def test_nothing_is_worse_than_an_answer_that_cannot_be_read(plan, reference):
    assert compute_metrics(FAILURE, reference) == WORST_METRICS
    metrics = compute_metrics(plan, reference)
    assert metrics.iou >= WORST_METRICS.iou
    for field in fields(Metrics):
        if field.name != "iou":
            value = getattr(metrics, field.name)
            assert 0 <= value <= getattr(WORST_METRICS, field.name) + 1e-12


@given(reference=references)
def test_the_reference_itself_measures_perfect(reference):
    plan = Plan(box=reference.box, waypoints=reference.waypoints)
    metrics = asdict(compute_metrics(plan, reference))
    assert metrics.pop("iou") == pytest.approx(1)
    assert set(metrics.values()) == {0.0}


@given(path=paths, at=st.integers(0, 8), share=unit)
def test_a_point_added_on_a_path_does_not_change_its_resampling(path, at, share):
    at %= len(path) - 1
    (x1, y1), (x2, y2) = path[at], path[at + 1]
    extra = (x1 + share * (x2 - x1), y1 + share * (y2 - y1))
    longer = (*path[: at + 1], extra, *path[at + 1 :])
    hypothesis.assume(len(set(path)) > 1)
    np.testing.assert_allclose(resample_path(longer), resample_path(path), atol=1e-9)


@given(path=paths)
def test_resampling_keeps_the_ends_and_spaces_evenly(path):
    resampled = resample_path(path)
    np.testing.assert_allclose(resampled[[0, -1]], [path[0], path[-1]], atol=1e-12)
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    steps = np.linalg.norm(np.diff(resampled, axis=0), axis=1)
    assert steps.max() <= length / (len(resampled) - 1) + 1e-9


def test_a_path_without_length_is_resampled_to_its_point():
    assert (resample_path([(0.3, 0.7)] * 4) == [0.3, 0.7]).all()


def test_heights_do_not_enter_the_image_metrics():
    lifted = tuple((*point, 0.3) for point in REFERENCE.waypoints)
    assert compute_metrics(replace(EXACT, waypoints=lifted), REFERENCE).dfd == 0


@given(a=boxes, b=boxes)
def test_iou_is_symmetric_and_giou_never_above_it_on_its_scale(a, b):
    iou, giou = compute_iou(a, b), compute_giou(a, b)
    assert iou == pytest.approx(compute_iou(b, a))
    assert 0 <= giou <= (1 + iou) / 2 + 1e-12


def test_iou_of_boxes_that_share_a_third_is_a_third():
    assert compute_iou((0, 0, 0.2, 0.2), (0.1, 0, 0.3, 0.2)) == pytest.approx(1 / 3)


def test_giou_still_tells_a_near_miss_from_a_far_one():
    box, near, far = (0, 0, 0.1, 0.1), (0.2, 0, 0.3, 0.1), (0.8, 0, 0.9, 0.1)
    assert compute_iou(box, near) == compute_iou(box, far) == 0
    assert compute_giou(box, near) > compute_giou(box, far) > 0


# Terms and totals


@given(
    plan=plans,
    reference=references,
    outcome=st.booleans().flatmap(outcomes),
    mix=mixes(),
)
def test_every_term_and_the_total_stay_in_0_to_1(plan, reference, outcome, mix):
    reward = score(plan, reference, outcome, mix)
    assert tuple(reward.terms) == TERMS
    assert all(0 <= value <= 1 for value in reward.terms.values())
    assert 0 <= reward.total <= 1 + 1e-12


@given(
    good=plans,
    bad=plans,
    reference=references,
    won=outcomes(success=True),
    lost=outcomes(success=False),
    mix=mixes(),
)
def test_a_success_beats_any_failure(good, bad, reference, won, lost, mix):
    success = score(good, reference, won, mix).total
    assert success > score(bad, reference, lost, mix).total
    assert success > score(FAILURE, reference, None, mix).total


@pytest.mark.parametrize("name", ["paper", "success", "physical", "mixed", "gated"])
def test_the_experts_answer_gets_the_most_of_every_shipped_mix(name: str):
    mix = load_mix(name)
    assert mix.name == name
    assert score(EXACT, REFERENCE, DONE, mix).total == pytest.approx(1)
    worse = score(shift(EXACT, 0.1), REFERENCE, MISSED, mix).total
    assert score(FAILURE, REFERENCE, None, mix).total <= worse < 0.6


def test_an_answer_that_cannot_be_read_gets_nothing():
    mix = load_mix("mixed")
    assert score(FAILURE, REFERENCE, DONE, mix).total == 0
    assert not any(score(FAILURE, REFERENCE, None, mix).terms.values())


def test_a_distance_is_worth_half_at_the_chosen_error():
    assert score_distance(0) == 1
    assert score_distance(HALF_DISTANCE) == pytest.approx(0.5)
    terms = score(shift(EXACT, HALF_DISTANCE), REFERENCE, None, load_mix("paper")).terms
    for name in ("path_frechet", "path_rmse", "endpoint"):
        assert terms[name] == pytest.approx(0.5)


@given(near=st.floats(0, 0.19), further=st.floats(0.01, 0.2))
def test_geometric_terms_fall_as_a_plan_moves_away(near: float, further: float):
    mix = load_mix("paper")
    a = score(shift(EXACT, near), REFERENCE, None, mix).terms
    b = score(shift(EXACT, near + further), REFERENCE, None, mix).terms
    assert all(a[name] >= b[name] for name in GEOMETRIC)
    assert a["endpoint"] > b["endpoint"]


def test_more_waypoints_on_the_same_path_earn_nothing():
    (a, b, c), mix = REFERENCE.waypoints, load_mix("paper")
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    longer = replace(EXACT, waypoints=(a, middle, middle, b, c, c))
    assert score(longer, REFERENCE, None, mix).total == pytest.approx(1)


def test_doing_nothing_is_neither_smooth_nor_gentle():
    terms = score(EXACT, None, MISSED, load_mix("success")).terms
    assert terms["smoothness"] == terms["contact_force"] == 0


def test_a_harder_contact_is_worth_less():
    mix = RewardMix(weights={"contact_force": 1})
    totals = [
        score(EXACT, None, replace(DONE, contact_force=force), mix).total
        for force in (0, 70, 140, 1000)
    ]
    assert totals[0] == totals[1] == 1 and totals[2] == 0.5 and totals[3] < 0.01


def test_gating_scales_geometry_by_progress_and_leaves_format_alone():
    weights = {"format": 1.0, "affordance": 3.0}
    gated = RewardMix(weights=weights, gated=True)
    assert score(EXACT, REFERENCE, MISSED, gated).total == 0.25
    assert score(EXACT, REFERENCE, HALFWAY, gated).total == 0.25 + 0.375
    assert score(EXACT, REFERENCE, DONE, gated).total == 1
    assert score(EXACT, REFERENCE, MISSED, gated).terms["affordance"] == 1
    free = RewardMix(weights=weights)
    assert score(EXACT, REFERENCE, MISSED, free).total == 1


# Parts of a plan


def split(plan: Plan) -> tuple[Affordance, Trajectory]:
    return (
        Affordance(box=plan.box, well_formed=plan.well_formed),
        Trajectory(waypoints=plan.waypoints, well_formed=plan.well_formed),
    )


@given(plan=plans, reference=references)
def test_a_part_measures_as_it_does_in_its_plan_and_the_rest_as_the_worst(
    plan, reference
):
    box, path = split(plan)
    whole = compute_metrics(plan, reference)
    assert compute_metrics(box, reference) == replace(WORST_METRICS, iou=whole.iou)
    assert compute_metrics(path, reference) == replace(whole, iou=WORST_METRICS.iou)


@given(plan=plans, reference=references)
def test_of_a_part_the_terms_count_that_judge_it_by_their_share_of_the_mix(
    plan, reference
):
    mix = load_mix("paper")
    whole = score(plan, reference, None, mix).terms
    for part, geometric in zip(split(plan), (OF_BOX, OF_PATH), strict=True):
        reward = score(part, reference, None, mix)
        names = ("format", *geometric)
        kept = {name: whole[name] for name in names}
        assert reward.terms == dict.fromkeys(TERMS, 0.0) | kept
        weights = [mix.weights[name] for name in names]
        total = np.average(list(kept.values()), weights=weights)
        assert reward.total == pytest.approx(total)
        assert 0 <= reward.total <= 1


def test_the_experts_part_gets_the_most_of_the_papers_mix():
    for asked in ANSWERS:
        answer = REFERENCE.to_answer(asked)
        assert answer.kind == asked
        assert score(answer, REFERENCE, None, load_mix("paper")).total == 1
    assert score(FAILURE, REFERENCE, None, load_mix("paper")).total == 0


def test_a_part_cannot_be_rewarded_for_what_only_an_execution_shows():
    for asked in ("affordance", "trajectory"):
        check_answer(load_mix("paper"), asked)
        for name in ("success", "physical", "mixed", "gated"):
            message = f"'{name}' weighs.*success.*answer={asked} is not.*reward=paper"
            with pytest.raises(ValueError, match=message):
                check_answer(load_mix(name), asked)
            with pytest.raises(ValueError, match=message):
                score(REFERENCE.to_answer(asked), REFERENCE, DONE, load_mix(name))
        geometry = RewardMix(weights={"affordance": 1, "endpoint": 1}, gated=True)
        with pytest.raises(ValueError, match="gated"):
            check_answer(geometry, asked)
    for name in ("paper", "success", "mixed", "gated"):
        check_answer(load_mix(name), "plan")


def test_a_mix_in_which_nothing_judges_the_part_is_refused():
    mix = RewardMix(weights={"endpoint": 1.0})
    check_answer(mix, "trajectory")
    message = "weighs nothing.*answer=affordance.*format, affordance"
    with pytest.raises(ValueError, match=message):
        score(split(EXACT)[0], REFERENCE, None, mix)


# Errors


def test_a_missing_reference_is_named_with_the_way_out():
    with pytest.raises(ValueError, match=r"affordance.*endpoint.*use reward=success"):
        score(EXACT, None, DONE, load_mix("mixed"))
    with pytest.raises(ValueError, match="reward=success"):
        score(FAILURE, None, None, load_mix("paper"))
    assert score(EXACT, None, DONE, load_mix("success")).total == 1


def test_a_missing_outcome_is_named_with_the_way_out():
    with pytest.raises(ValueError, match=r"success.*execute the plan"):
        score(EXACT, REFERENCE, None, load_mix("mixed"))
    with pytest.raises(ValueError, match="gated"):
        score(EXACT, REFERENCE, None, RewardMix(weights={"endpoint": 1}, gated=True))
    assert score(EXACT, REFERENCE, None, load_mix("paper")).total == pytest.approx(1)


def test_an_unknown_term_is_named_beside_all_valid_ones():
    with pytest.raises(ValueError, match="sucess") as error:
        RewardMix(weights={"sucess": 1.0})
    assert all(term in str(error.value) for term in TERMS)


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf, "1", None, True])
def test_a_weight_that_is_no_finite_number_from_0_is_refused(weight):
    with pytest.raises(ValueError, match=r"'format'.*need a finite number"):
        RewardMix(weights={"success": 9.0, "format": weight})


def test_a_mix_without_any_weight_is_refused():
    for weights in ({}, {"success": 0.0}):
        with pytest.raises(ValueError, match="no weight"):
            RewardMix(weights=weights)


def test_a_success_that_weighs_less_than_the_rest_is_refused():
    with pytest.raises(ValueError, match="at least 1.5"):
        RewardMix(weights={"success": 1.0, "affordance": 1.0, "grasped": 0.5})
    tenths = {"success": 0.3, "affordance": 0.1, "endpoint": 0.1, "format": 0.1}
    RewardMix(weights=tenths)
    RewardMix(weights={"success": 0.0, "affordance": 1.0})


def test_a_broken_outcome_raises_instead_of_training_on_it():
    broken = replace(DONE, progress=math.nan)
    with pytest.raises(ValueError, match="progress"):
        score(EXACT, None, broken, load_mix("success"))


def test_without_a_reference_the_rest_of_a_mix_still_judges():
    mix = RewardMix(weights={"success": 1.0, "affordance": 0.5, "grasped": 0.25})
    left = mix.without_reference()
    assert left.weights == {"success": 1.0, "grasped": 0.25}
    with pytest.raises(ValueError, match="no weight above 0"):
        RewardMix(weights={"affordance": 1.0}).without_reference()


def test_a_mix_knows_what_it_needs():
    needs = {
        name: (mix.needs_reference, mix.needs_outcome)
        for name in ("paper", "success", "mixed", "gated")
        for mix in [load_mix(name)]
    }
    assert needs["paper"] == (True, False) and needs["success"] == (False, True)
    assert needs["mixed"] == needs["gated"] == (True, True)
    assert set(TERMS) == {"format", *GEOMETRIC, *PHYSICAL}


# Parts


@given(plan=plans, reference=references)
def test_part_scores_are_one_per_waypoint_and_in_0_to_1(plan, reference):
    scores = part_scores(plan, reference)
    assert len(scores) == 1 + len(plan.waypoints)
    assert all(0 <= value <= 1 for value in scores)
    box, path = split(plan)
    assert part_scores(box, reference) + part_scores(path, reference) == scores


@given(reference=references)
def test_parts_of_the_reference_are_perfect(reference):
    plan = Plan(box=reference.box, waypoints=reference.waypoints)
    scores = part_scores(plan, reference)
    assert scores == pytest.approx([1] * (1 + len(plan.waypoints)))


def test_only_the_part_that_is_wrong_scores_less():
    bent = replace(EXACT, waypoints=(*EXACT.waypoints[:2], (0.6, 0.35)))
    box, first, second, last = part_scores(bent, REFERENCE)
    assert box == first == 1
    assert last == pytest.approx(score_distance(0.15))
    assert second > last
