"""A scene asked for something else that is in it."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from envs.predicates import Execution, touches
from envs.sampling.asking import ask, ask_goal
from envs.sampling.factors import describe_factors
from envs.sampling.sample import make_scene
from envs.scene import Scene


def test_what_is_asked_is_what_is_judged_or_it_cannot_be_asked() -> None:
    hidden = 0
    for seed in range(25):
        scene = make_scene("pick_mug", "ood", seed, verify=False)
        for goal in scene.others:
            if ask_goal(scene, goal) is not None:
                assert ask(scene, goal.instruction).goal == goal
                continue
            hidden += 1
            with pytest.raises(ValueError, match=r"/(handle|rim)' cannot be seen"):
                ask(scene, goal.instruction)
    assert hidden


def test_other_words_change_what_is_read_and_nothing_else() -> None:
    scene = make_scene("pick_mug", seed=1, verify=False)
    asked = ask(scene, "bring me that")
    assert (asked.instruction, asked.goal) == ("bring me that", scene.goal)


def test_what_is_soft_touches_no_body_that_it_is_not() -> None:
    """Its contacts have no geom: -1, which is not the last one's body."""
    model = mujoco.MjModel.from_xml_string(
        """
        <mujoco><worldbody><geom name="ground" type="plane" size="1 1 1"/>
          <body name="sponge" pos="0 0 .05"><freejoint/><geom size=".01"/>
            <flexcomp name="f" type="grid" count="3 3 3" spacing=".03 .03 .03" dim="3"
              radius=".002" rigid="true" mass=".1"/></body>
          <body name="far" pos="1 0 .5"><geom size=".01"/></body>
        </worldbody></mujoco>
        """
    )
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 100)
    assert data.ncon and np.any(data.contact.geom == -1)
    assert not touches(Execution(model=model, before=data, after=data), "world", "far")


def test_no_thing_in_the_way_is_what_the_words_could_mean() -> None:
    for name in ("use_tool", "sweep_to_zone"):
        for seed in range(12):
            scene = make_scene(name, "ood", seed, verify=False)
            if "disc" in scene.instruction:
                assert not list_plates(scene), (name, seed)
    assert any(
        list_plates(make_scene("open_door", "ood", seed, verify=False))
        for seed in range(6)
    )


def list_plates(scene: Scene) -> list[str]:
    """Flat round things among those in the way."""
    names = [scene.model.body(i).name for i in range(scene.model.nbody)]
    others = [name for name in names if name.startswith("other")]
    single = [name for name in others if len(scene.state.geoms(name)) == 1]
    return [name for name in single if scene.state.size(name)[1] < 0.01]


def test_the_colour_named_is_the_targets_and_candidates_are_things() -> None:
    for name, seed in (("insert_peg", 1), ("place_in_bowl", 2), ("pick_mug", 1)):
        scene = make_scene(name, "test", seed, verify=False)
        found = describe_factors(scene)
        assert str(found["colour named"]) in [*scene.goal.thought.split(), "none"]
        assert found["candidates"] == len({goal.aim for goal in scene.goals})
