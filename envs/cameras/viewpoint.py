"""Where the scene's camera stands: where the library puts it, or where a user has it.

    make_scene("open_drawer", camera={"azimuth": (52, 60), "elevation": 40})

Degrees, and metres to the middle of the table. A camera of one's own replaces the
ranges of what it names, in every split; the rest is drawn as ever, so that a seed is
the same scene, seen from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mujoco
import numpy as np

from envs.cameras.camera import look_at
from envs.randomization.factors import Factors, Range, check_choice

CAMERA = "scene"  # the policy's view
OVERVIEW = "overview"  # the videos' view
CENTRE = np.array([0.5, 0.0, 0.05])  # what the camera looks at
VIEW_WIDTH = 0.50  # m of the table across the image at the centre
VIEW_DISTANCE = 0.9  # m from the camera to the centre
ASIDE = np.deg2rad(30)  # from here on "left" is the camera's, not the table's
LIMITS: Mapping[str, Range] = {
    "azimuth": (-180, 180),  # degrees; 0 faces the robot, 90 stands on its left
    "elevation": (10, 89),  # degrees above the table
    "distance": (0.3, 3.0),  # m to the middle of the table
    "fovy": (5, 120),  # degrees from the upper to the lower edge of the image
}

Viewpoint = Mapping[str, "float | Range"]
"""Of any names in `LIMITS`, a number or the least and the most."""


def read_viewpoint(camera: Viewpoint | None) -> dict[str, Range]:
    """Returns a range for each name of a user's camera.

    Raises:
        ValueError: An unknown name, no range of numbers, or one outside the limits.
    """
    if not isinstance(camera, Mapping | None):
        raise ValueError(f"camera is {camera!r}; valid: of {', '.join(LIMITS)}, ranges")
    return {name: _read_range(name, given) for name, given in (camera or {}).items()}


def _read_range(name: str, given: float | Range) -> Range:
    check_choice("setting of the camera", name, tuple(LIMITS))
    least, most = LIMITS[name]
    try:
        low, high = map(
            float, given if isinstance(given, (tuple, list)) else [given] * 2
        )
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not least <= low <= high <= most:
        raise ValueError(
            f"camera.{name} is {given!r}; valid: a number or [least, most] within "
            f"{least:g} to {most:g}"
        )
    return low, high


def add_camera(
    spec: mujoco.MjSpec, factors: Factors, camera: Viewpoint | None = None
) -> None:
    """Adds the camera that takes the policy's image."""
    own = read_viewpoint(camera)

    def draw(
        name: str, train: Range, held_out: Range, to: Callable[[float], float] = float
    ) -> float:
        if name in own:
            return float(factors.rng.uniform(*own[name]))
        return to(factors.uniform("camera", train, held_out))

    elevation = np.deg2rad(draw("elevation", (36, 46), (48, 54)))
    azimuth = np.deg2rad(draw("azimuth", (-12, 12), (14, 22)))
    flat = np.cos(elevation)
    away = (flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation))
    distance = draw(
        "distance", (0.95, 1.03), (1.05, 1.10), to=lambda times: times * VIEW_DISTANCE
    )
    place = CENTRE + distance * np.array(away)
    fovy = draw("fovy", (0.97, 1.03), (1.03, 1.07), to=_find_fovy)
    spec.worldbody.add_camera(
        name=CAMERA, pos=place, xyaxes=look_at(place, CENTRE), fovy=fovy
    )


def add_overview(spec: mujoco.MjSpec) -> None:
    """Adds the camera that takes the pictures of the whole stage."""
    place = np.array([1.35, 0.75, 0.75])
    spec.worldbody.add_camera(
        name=OVERVIEW,
        pos=place,
        xyaxes=look_at(place, np.array([0.33, 0, 0.24])),
        fovy=42,
    )


def _find_fovy(times: float) -> float:
    """The angle [deg] that shows so many times the usual width of the table."""
    return float(2 * np.rad2deg(np.arctan(0.5 * times * VIEW_WIDTH / VIEW_DISTANCE)))


def find_facing(spec: mujoco.MjSpec) -> float:
    """How far words of place are turned about the vertical [rad].

    "Left" and "front" are the table's as long as the camera sees it about straight,
    and from further aside the camera's own.
    """
    x, y, _ = spec.camera(CAMERA).pos - CENTRE
    azimuth = float(np.arctan2(y, x))
    return azimuth if abs(azimuth) > ASIDE else 0.0
