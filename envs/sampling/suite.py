"""A frozen evaluation suite: which scenes, and what each of them must look like.

Two people who evaluate a policy get the same number only if they show it the same
scenes. The suite lists seeds and a digest of every scene; a machine or a version that
builds another scene from a seed is told so, instead of measuring it. It also lists
which draw of the seed the scene is, so that nobody has to try them again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np

from envs.randomization.factors import check_choice
from envs.scene import Scene

DIGITS = 5  # of positions: 10 um, far above what compilers and CPUs differ by
BYTES = 12  # of a digest; shorter ones, of earlier versions, were of less
BUILT = ("qpos0", "body_pos", "body_quat")
SHOWN = (
    *("geom_type", "geom_pos", "geom_quat", "geom_size", "geom_rgba", "geom_matid"),
    *("mat_rgba", "tex_data", "mesh_vert", "cam_fovy"),
    *("light_pos", "light_dir", "light_ambient", "light_diffuse", "light_specular"),
)
FELT = (
    *("geom_friction", "geom_solref", "geom_solimp", "geom_margin", "geom_condim"),
    *("geom_contype", "geom_conaffinity", "body_mass", "body_inertia", "body_gravcomp"),
    *("jnt_axis", "jnt_range", "jnt_stiffness", "dof_damping", "dof_frictionloss"),
    *("dof_armature", "actuator_gainprm", "actuator_biasprm", "actuator_forcerange"),
)
COMPUTED = ("gravity", "timestep", "integrator", "cone", "impratio", "enableflags")


class Frozen(NamedTuple):
    """A frozen scene.

    Attributes:
        digest: See `digest`.
        draw: Which draw of its seed it is; None in suites that do not say.
    """

    digest: str
    draw: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Frozen scenes.

    Attributes:
        scenes: For each (scene, split), what each seed makes, in their order.
    """

    scenes: dict[tuple[str, str], dict[int, Frozen]]

    def list_seeds(self, scene: str, split: str) -> list[int]:
        """The seeds of a scene's split; an unknown scene or split lists the valid."""
        check_choice("env", scene, sorted({name for name, _ in self.scenes}))
        splits = sorted(split for name, split in self.scenes if name == scene)
        check_choice("split", split, splits)
        return list(self.scenes[scene, split])

    def list_draws(self, scene: str, split: str) -> dict[int, int]:
        """The draw of each seed of a scene's split, where it is known."""
        frozen = self.scenes[scene, split].items()
        return {seed: one.draw for seed, one in frozen if one.draw is not None}

    def check(self, scenes: Sequence[Scene]) -> None:
        """Raises a ValueError at the first scene that is not the one frozen."""
        for scene in scenes:
            frozen, built = self._find(scene), digest(scene)
            if frozen and len(frozen) < len(built):
                raise ValueError(
                    f"the suite's digest of {scene.name!r}, {frozen}, is an earlier "
                    "version's, which tells less: freeze its scenes again"
                )
            if built != frozen:
                raise ValueError(
                    f"scene {scene.name!r}, split {scene.split!r}, seed {scene.seed} "
                    f"is not the suite's ({built} instead of {frozen}): this version "
                    f"of Graspo, or MuJoCo {mujoco.__version__}, builds another"
                )

    def _find(self, scene: Scene) -> str | None:
        frozen = self.scenes[scene.name, scene.split].get(scene.seed)
        return frozen and frozen.digest


def digest(scene: Scene) -> str:
    """Twelve bytes, in hexadecimal, that tell a scene from any other.

    They are of what is built, shown, felt and asked: places, shapes, colours, light,
    pictures, masses, friction and joints, the words and what they mean. Where things
    come to rest follows from that: a pan that rocks on its rim does so up to 0.6 mm
    elsewhere on another kind of processor, and is the same scene.
    """
    model, camera = scene.model, scene.observation.camera
    head, physics = model.vis.headlight, model.opt
    state = [camera.T_world_camera, head.ambient, head.diffuse]
    state += [getattr(physics, name) for name in COMPUTED]
    state += [getattr(model, name) for name in (*BUILT, *SHOWN, *FELT)]
    # Adding 0 turns a rounded -0 into 0.
    rounded = [np.round(np.asarray(array, np.float64), DIGITS) + 0.0 for array in state]
    content = b"".join(array.tobytes() for array in rounded)
    goal = scene.goal
    asked = (scene.instruction, *goal.aim, *goal.bystanders)
    return hashlib.blake2b(
        content + "\n".join(asked).encode(), digest_size=BYTES
    ).hexdigest()


def freeze(scenes: Sequence[Scene]) -> Suite:
    """The suite of some scenes."""
    suite = Suite(scenes={})
    for scene in scenes:
        frozen = Frozen(digest(scene), scene.config.draw)
        suite.scenes.setdefault((scene.name, scene.split), {})[scene.seed] = frozen
    return suite


def save_suite(suite: Suite, path: Path) -> None:
    """Writes a suite as JSON: scene to split to seed to digest and draw."""
    nested: dict[str, dict[str, dict[int, Frozen]]] = {}
    for (name, split), frozen in suite.scenes.items():
        nested.setdefault(name, {})[split] = frozen
    lines = json.dumps(nested, indent=1)
    path.write_text(re.sub(r"\[\s+(\S+,)\s+(\S+)\s+\]", r"[\1 \2]", lines) + "\n")


def load_suite(path: Path) -> Suite:
    """Reads what `save_suite` wrote, and suites that list digests alone.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a suite.
    """
    try:
        nested = json.loads(path.read_text())
        return Suite(
            scenes={
                (name, split): {int(seed): _read(one) for seed, one in frozen.items()}
                for name, splits in nested.items()
                for split, frozen in splits.items()
            }
        )
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not an evaluation suite: {error}") from error


def _read(one: str | list) -> Frozen:
    frozen = Frozen(one) if isinstance(one, str) else Frozen(*one)
    if not isinstance(frozen.digest, str) or not isinstance(frozen.draw, int | None):
        raise TypeError(f"{one} is no digest, or digest and draw")
    return frozen
