"""MuJoCo scenes as Gymnasium environments whose actions are a model's words."""

from envs.gl import ensure_gl

ensure_gl()  # before mujoco is imported: it reads MUJOCO_GL once

# ruff: noqa: E402, I001  (the order of these imports is meant)
from envs.answer import format_answer, parse_answer
from envs.execute import simulate, simulate_groups
from envs.gym_env import ManipulationEnv
from envs.gym_registry import make_vec, register_all, register_scene
from envs.registry import list_scenes, load_plugins
from envs.labels import label_parts, mark_target
from envs.scene import Scene, make_scene
from envs.wrappers import ArrayAction
from envs import scenes  # registers the built-in scenes

load_plugins()
register_all()

__all__ = [
    "ArrayAction",
    "ManipulationEnv",
    "Scene",
    "format_answer",
    "label_parts",
    "list_scenes",
    "make_scene",
    "make_vec",
    "mark_target",
    "parse_answer",
    "register_scene",
    "scenes",
    "simulate",
    "simulate_groups",
]
