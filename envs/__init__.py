"""MuJoCo scenes as Gymnasium environments whose actions are a model's words."""

from envs.cameras.gl import ensure_gl

ensure_gl()  # before mujoco is imported: it reads MUJOCO_GL once

# ruff: noqa: E402, I001  (the order of these imports is meant)
from envs.answer import format_answer, parse_answer
from envs.execution.execute import simulate, simulate_groups
from envs.gym.env import ManipulationEnv
from envs.gym.registration import make_vec
from envs.gym.wrappers import ArrayAction
from envs.registry import list_common, list_scenes, load_plugins, register_scene
from envs.sampling.labels import label_parts, mark_target
from envs.sampling.sample import make_scene, sample_scene
from envs.scene import Scene, SceneConfig
from envs import kitchen, scenes  # registers the built-in scenes

load_plugins()

__all__ = [
    "ArrayAction",
    "ManipulationEnv",
    "Scene",
    "SceneConfig",
    "format_answer",
    "kitchen",
    "label_parts",
    "list_common",
    "list_scenes",
    "make_scene",
    "make_vec",
    "mark_target",
    "parse_answer",
    "register_scene",
    "sample_scene",
    "scenes",
    "simulate",
    "simulate_groups",
]
