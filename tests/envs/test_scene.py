"""Sampling of scenes: deterministic, visible, held-out ranges apart."""

import gc
import json
import re
import warnings
from importlib.metadata import EntryPoint

import gymnasium
import numpy as np
import psutil
import pytest

import envs
from envs import registry
from envs.randomization.colours import COLOURS, HELD_OUT_COLOURS
from envs.randomization.factors import AXES, Factors
from envs.sampling.labels import label_parts, mark_target
from envs.sampling.sample import draw_scene, make_scene, sample_scene
from envs.scene import Scene, SceneConfig
from envs.scenes import pick_mug
from envs.skills import LIFT


def test_equal_seeds_give_equal_scenes_bit_for_bit():
    first, second = (make_scene("pick_mug", seed=7) for _ in range(2))
    assert first.instruction == second.instruction
    assert first.reference == second.reference
    np.testing.assert_array_equal(first.observation.image, second.observation.image)
    np.testing.assert_array_equal(first.data.qpos, second.data.qpos)


def test_seeds_and_splits_give_different_scenes():
    scenes = [make_scene("pick_mug", split, seed=1) for split in ("train", "test")]
    scenes.append(make_scene("pick_mug", seed=2))
    images = {scene.observation.image.tobytes() for scene in scenes}
    assert len(images) == 3


def test_the_handle_is_at_least_fifteen_pixels_wide_in_nine_scenes_of_ten():
    scenes = [draw_scene(SceneConfig(name="pick_mug", seed=seed)) for seed in range(60)]
    asked = [
        s for s in scenes if isinstance(s, Scene) and s.goal.part.endswith("handle")
    ]
    boxes = np.array([scene.reference.box for scene in asked])
    width = (boxes[:, 2] - boxes[:, 0]) * 224
    assert np.mean(width >= 15) >= 0.9


def test_the_reference_box_is_tight_around_the_parts_visible_pixels():
    scene = make_scene("pick_mug", seed=4)
    bodies = np.append(scene.model.geom_bodyid, -1)[scene.seen]
    rows, columns = np.nonzero(bodies == scene.model.body(scene.goal.part).id)
    box = np.array(scene.reference.box) * 224
    np.testing.assert_allclose(
        box, [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    )


def test_part_labels_mark_every_mug_and_its_parts():
    scene = make_scene("pick_mug", seed=5)
    labels = label_parts(scene)
    assert labels.shape == scene.observation.image.shape[:2]
    names = [scene.model.body(i).name for i in range(scene.model.nbody)]
    owner = [names[i] for i in np.append(scene.model.geom_bodyid, 0)[scene.seen].flat]
    assert len({name.split("/")[0] for name in owner if name[:3] == "mug"}) > 1
    for name, label in zip(owner, labels.flat, strict=True):
        part = name.partition("/")[2]
        assert label == {"handle": 2, "rim": 3}.get(part, int(name[:3] == "mug"))
    assert scene.part_classes == ("mug", "handle", "rim")
    asked = scene.part_classes.index(scene.goal.part.split("/")[1]) + 1
    assert set(labels[mark_target(scene)]) == {asked}


@pytest.mark.parametrize("shifts", [(), ("colour",), ("wording",)])
def test_held_out_colours_and_words_appear_only_where_they_are_shifted(shifts):
    split = "ood" if shifts else "train"
    colours = HELD_OUT_COLOURS if "colour" in shifts else COLOURS
    wordings = pick_mug.HELD_OUT_WORDINGS if "wording" in shifts else pick_mug.WORDINGS
    patterns = [re.sub(r"\{\d?\}", "(.+)", wording) for wording in wordings]
    for seed in range(12):
        scene = make_scene("pick_mug", split, seed, shifts=shifts, verify=False)
        words = scene.instruction
        named = [w for w in words.split() if w in COLOURS | HELD_OUT_COLOURS]
        assert len(named) == 1 and named[0] in colours, words
        assert any(re.fullmatch(pattern, words) for pattern in patterns), words


def test_ood_scenes_are_solved_by_the_expert_too():
    for seed in range(3):
        scene = make_scene("pick_mug", "ood", seed)
        assert envs.simulate(scene, [scene.reference.to_plan()])[0].success


@pytest.mark.parametrize(
    "options",
    [
        {"split": "ood", "seed": 5, "shifts": ("wording", "camera")},
        {"waypoints": "3d", "colours": {"red": "teal"}, "stretched": ("shape",)},
        {"split": "test", "camera": {"azimuth": (50, 60), "elevation": 40}},
    ],
)
def test_a_scene_can_be_built_again_from_itself_and_from_a_line_of_json(options):
    scene = make_scene("press_button", **options)
    line = json.dumps(scene.config.to_dict())
    for config in (scene.config, SceneConfig(**json.loads(line))):
        assert config == scene.config
        again = sample_scene(config)
        assert again.instruction == scene.instruction
        assert again.reference == scene.reference
        np.testing.assert_array_equal(again.observation.image, scene.observation.image)


HIDDEN_FIRST = {"name": "sweep_to_zone", "split": "test", "seed": 742431198}


def test_a_scene_names_its_draw_and_is_built_from_it_at_once():
    tried = make_scene(**HIDDEN_FIRST)
    assert tried.config.draw == 1
    known = draw_scene(tried.config)
    np.testing.assert_array_equal(known.observation.image, tried.observation.image)
    assert known.reference == tried.reference


def test_a_draw_that_cannot_be_used_is_named():
    with pytest.raises(
        RuntimeError, match="seed 742431198: no usable sample in draw 0"
    ):
        make_scene(**HIDDEN_FIRST, draw=0)
    with pytest.raises(ValueError, match="draw is -1; at least 0"):
        SceneConfig(name="pick_mug", draw=-1)


@pytest.mark.parametrize("seed", ["3", 1.5, True, None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match=r"seed is .*; valid: whole numbers"):
        SceneConfig(name="pick_mug", seed=seed)
    plain = SceneConfig(name="pick_mug", seed=np.int64(3)).to_dict()
    assert json.dumps(plain) == '{"name": "pick_mug", "split": "train", "seed": 3}'


def test_two_colours_do_not_become_one():
    with pytest.raises(ValueError, match="more than one is 'blue'"):
        SceneConfig(name="pick_mug", colours={"red": "blue"})
    SceneConfig(name="pick_mug", colours={"red": "blue", "blue": "red"})


@pytest.mark.parametrize("axis", AXES)
def test_a_shift_moves_its_own_axis_alone(axis):
    rng = np.random.default_rng(0)
    factors = Factors(rng, "ood", (axis,))
    for other in AXES:
        value = factors.uniform(other, (0, 1), (2, 3))
        assert (value >= 2) == (other == axis)


@pytest.mark.parametrize(
    ("arguments", "valid"),
    [
        ({"name": "pick_mugs"}, "pick_mug"),
        ({"name": "pick_mug", "split": "dev"}, "train, test, ood"),
        ({"name": "pick_mug", "split": "ood", "shifts": ("colours",)}, "colour"),
        ({"name": "pick_mug", "shifts": ("colour",)}, "split='ood'"),
    ],
)
def test_a_wrong_name_lists_the_valid_ones(arguments, valid):
    with pytest.raises(ValueError, match=valid):
        make_scene(**arguments)


def test_a_broken_plug_in_is_named_in_a_warning_and_breaks_nothing(monkeypatch):
    broken = EntryPoint("bad", "no_such_package.scenes", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.warns(UserWarning, match="no_such_package"):
        registry.load_plugins()
    assert "pick_mug" in envs.list_scenes()


def test_a_plug_in_that_exits_is_named_and_ends_nothing(monkeypatch, tmp_path):
    (tmp_path / "exiting_scenes.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    broken = EntryPoint("bad", "exiting_scenes", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.warns(UserWarning, match=r"'exiting_scenes': SystemExit\(0\)"):
        registry.load_plugins()


def test_a_plug_in_that_fails_half_way_leaves_no_scene(monkeypatch, tmp_path):
    (tmp_path / "half_done.py").write_text(
        "from envs import register_scene\n"
        "from envs.scenes.pick_mug import PickMug\n"
        "class Half(PickMug): pass\n"
        "class Dressed(PickMug): pass\n"
        "register_scene('half')(Half)\n"
        "register_scene('half_dressed', extra='meshes')(Dressed)\n"
        "import no_such_module\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    broken = EntryPoint("bad", "half_done", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    before = envs.list_scenes(), registry.list_absent(), dict(gymnasium.registry)
    with pytest.warns(UserWarning, match="'half_done'.*no_such_module"):
        registry.load_plugins()
    after = envs.list_scenes(), registry.list_absent(), dict(gymnasium.registry)
    assert after == before


def test_a_scene_name_belongs_to_one_class():
    other = type("Other", (), dict.fromkeys(("skill", "build", "judge"), LIFT))
    with pytest.raises(ValueError, match="already registered"):
        registry.register_scene("pick_mug")(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.get_task("pick_mug").__name__ == "PickMug"


@pytest.mark.slow
def test_five_hundred_scenes_do_not_grow_memory():
    def measure_mib() -> float:
        gc.collect()
        return psutil.Process().memory_info().rss / 2**20

    for seed in range(100):
        make_scene("pick_mug", seed=seed)
    before = measure_mib()
    for seed in range(100, 600):
        make_scene("pick_mug", seed=seed)
    assert measure_mib() - before < 20
