from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, multinomial

from policy.evaluation.pairs import compare_pairs, compare_solved, list_solved

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def split(drawn):
    return [a for a, _ in drawn], [b for _, b in drawn]


@given(pairs)
def test_the_difference_is_that_of_the_rates_and_lies_in_its_interval(drawn):
    before, after = split(drawn)
    found = compare_pairs(before, after)
    assert found.difference == pytest.approx(np.mean(after) - np.mean(before))
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.low < found.high and 0 < found.p_value <= 1
    assert found.gained - found.lost == sum(after) - sum(before)


@given(pairs)
def test_the_other_way_round_gains_are_losses(drawn):
    there, back = compare_pairs(*split(drawn)), compare_pairs(*split(drawn)[::-1])
    assert (there.gained, there.lost) == (back.lost, back.gained)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value)


@pytest.mark.parametrize("hits", [[True], [False] * 9, [True, False] * 200])
def test_nothing_differs_from_itself(hits):
    found = compare_pairs(hits, hits)
    assert (found.gained, found.lost, found.difference) == (0, 0, 0)
    assert found.p_value == 1 and found.low == -found.high < 0


def test_all_gained_is_certain_and_not_beyond_one():
    found = compare_pairs([False] * 50, [True] * 50)
    assert found.difference == found.high == 1
    assert found.low > 0.8 and found.p_value == pytest.approx(2 * 0.5**50)


def test_the_p_value_sums_the_tails_of_a_fair_coin():
    before, after = [False] * 12 + [True] * 3, [True] * 12 + [False] * 3
    tail = binom.cdf(3, 15, 0.5)
    assert compare_pairs(before, after).p_value == pytest.approx(2 * tail)


RATES = {  # of scenes: both fail, only after, only before, both succeed
    "usual": (0.20, 0.18, 0.02, 0.60),
    "even": (0.30, 0.20, 0.20, 0.30),
    "nearly solved": (0.04, 0.05, 0.01, 0.90),
    "nearly failed": (0.93, 0.05, 0.005, 0.015),
    "all gained": (0.02, 0.93, 0.0, 0.05),
    "only gained": (0.30, 0.10, 0.0, 0.60),
}


@pytest.mark.parametrize(("n", "rates"), [*product((20, 100), RATES)])
def test_the_interval_covers_what_is_true_about_19_times_in_20(n, rates):
    """Exactly: every count of gained and lost scenes, by how likely it is."""
    both_fail, gain, loss, both = RATES[rates]
    chances = multinomial(n, [gain, loss, both_fail + both])
    held = 0.0
    for gained, lost in product(range(n + 1), repeat=2):
        rest = n - gained - lost
        chance = chances.pmf([gained, lost, rest]) if rest >= 0 else 0.0
        if chance > 1e-7:
            before = [False] * gained + [True] * lost + [True] * rest
            after = [True] * gained + [False] * lost + [True] * rest
            found = compare_pairs(before, after)
            held += chance * (found.low <= gain - loss <= found.high)
    assert held > 0.93


def test_rows_of_several_turns_are_one_scene_that_ends_as_its_last():
    ends = [("a", 7, 1, True), ("b", 7, 1, False), ("b", 7, 2, True)]
    ends += [("a", 9, 1, False), ("a", 9, 2, False)]
    keys = ("env", "seed", "turn", "success")
    rows = [dict(zip(keys, end, strict=True), reason="missed") for end in ends]
    image = {"env": "offline", "seed": 1, "turn": 1, "success": False, "reason": None}
    assert list_solved([*rows, image]) == {"a": {7: True, 9: False}, "b": {7: True}}


def test_what_was_put_aside_in_one_evaluation_is_compared_in_none():
    before = {"a": {5: True, 3: True, 9: False}, "b": {4: False}}
    found = compare_solved(before, {"a": {9: True, 3: False, 8: True}, "b": {}})
    assert {name: (p.n, p.gained, p.lost) for name, p in found.items()} == {
        "success": (2, 1, 1)
    }
    both = compare_solved(before, before)
    assert {name: p.n for name, p in both.items()} == {
        "success": 4,
        "success/a": 3,
        "success/b": 1,
    }
    assert compare_solved(before, {}) == compare_solved({}, before) == {}


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ValueError, match="2 scenes before, 1 after"):
        compare_pairs([True, False], [True])
    with pytest.raises(ValueError, match="0 scenes before"):
        compare_pairs([], [])
