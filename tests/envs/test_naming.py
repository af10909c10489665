"""Names for alike objects: each tells exactly one from the others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.meshes.extra import find_assets
from envs.naming import RELATIONS, list_names
from envs.sampling.sample import make_scene

FEATURES = st.lists(st.tuples(*[st.floats(-0.5, 0.5)] * 3), min_size=0, max_size=5).map(
    lambda rows: np.array(rows).reshape(-1, 3)
)


@given(FEATURES)
def test_a_named_object_is_ahead_of_all_others_by_the_margin(features):
    for word, index in list_names(features):
        column, margin, least, _ = next(r for r in RELATIONS if word in r)
        ahead = features[:, column] - features[index, column]
        ahead = np.delete(ahead if word == least else -ahead, index)
        assert (ahead > margin).all()


@given(FEATURES)
def test_a_word_names_one_object_and_a_mirror_swaps_left_and_right(features):
    names = dict(list_names(features))
    assert len(names) == len(list_names(features))
    mirrored = dict(list_names(features * (1, -1, 1)))
    swap = {"left": "right", "right": "left"}
    assert mirrored == {swap.get(word, word): i for word, i in names.items()}


def test_one_object_needs_no_name():
    assert list_names(np.zeros((1, 3))) == []


MUGS, KETTLES = ("pick_mug", "mug", "rim"), ("kitchen_kettle", "kettle", "handle")
needs_meshes = pytest.mark.skipif(not find_assets(), reason="no graspo[meshes]")


@pytest.mark.parametrize(
    ("name", "kind", "part"), [MUGS, pytest.param(*KETTLES, marks=needs_meshes)]
)
@pytest.mark.parametrize("camera", [{}, {"azimuth": (55, 75)}, {"azimuth": -120}])
def test_places_in_the_instruction_are_places_in_the_image(name, kind, part, camera):
    seen = set()
    for seed in range(40):
        scene = make_scene(name, seed=seed, verify=False, camera=camera)
        word = next((w for w in ("left", "right") if w in scene.instruction), None)
        if word is None:
            continue
        seen.add(word)
        model = scene.model
        column = {}
        for body in (scene.goal.target, *scene.goal.bystanders):
            if body.startswith(kind):
                named = model.body(f"{body}/{part}").id
                shown = np.append(model.geom_bodyid, -1)[scene.seen] == named
                if shown.any():
                    column[body] = np.nonzero(shown)[1].mean()
        end = min if word == "left" else max
        assert scene.goal.target == end(column, key=column.get), scene.instruction
    assert seen == {"left", "right"}
