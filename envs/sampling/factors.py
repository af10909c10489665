"""What the random factors of a scene came to, read from the scene itself.

Tables of success by factor need a value for each: scenes draw their own factors, but
all have a camera, a light, a wording and a target.
"""

from __future__ import annotations

import numpy as np

from envs.cameras.viewpoint import CENTRE
from envs.randomization.colours import COLOURS, HELD_OUT_COLOURS
from envs.scene import Scene

Factor = float | int | str


def describe_factors(scene: Scene) -> dict[str, Factor]:
    """Returns the factors of a scene by name.

    Returns:
        Camera angles in degrees and distance in metres, the light's and the ambient
        brightness (0..1), the colour that the target is named by ("none" if by none),
        the first word of the instruction, how many things could have been asked for,
        and of a scene with an expert the target's place (0..1 from the left) and area
        (% of the image).
    """
    words = scene.instruction.lower().split()
    instead = scene.config.colours or {}
    colours = {*COLOURS, *HELD_OUT_COLOURS, *instead.values()}
    # A thought begins with the target; "fill the red socket with the blue peg" not.
    named = [w for w in (*scene.goal.thought.split(), *words) if w in colours]
    found: dict[str, Factor] = {
        **_measure_camera(scene),
        "light": round(float(scene.model.light_diffuse[0, 0]), 3),
        "ambient light": round(float(scene.model.vis.headlight.ambient[0]), 3),
        "colour named": named[0] if named else "none",
        "first word": words[0] if words else "none",
        "candidates": len({goal.aim for goal in scene.goals}),
    }
    return found | _measure_target(scene)


def _measure_camera(scene: Scene) -> dict[str, Factor]:
    away = scene.observation.camera.T_world_camera[:3, 3] - CENTRE
    distance = float(np.linalg.norm(away))
    return {
        "camera azimuth": round(float(np.rad2deg(np.arctan2(away[1], away[0]))), 1),
        "camera elevation": round(float(np.rad2deg(np.arcsin(away[2] / distance))), 1),
        "camera distance": round(distance, 3),
    }


def _measure_target(scene: Scene) -> dict[str, Factor]:
    if scene.reference is None:
        return {}
    x1, y1, x2, y2 = scene.reference.box
    return {
        "target across": round((x1 + x2) / 2, 3),
        "target area": round(100 * (x2 - x1) * (y2 - y1), 3),
    }
