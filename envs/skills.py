"""What the hand does along a path, and what a pixel of the path stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How a plan is carried out.

    Attributes:
        grips: The fingers close on the part at the first waypoint; else they push.
        opening: Largest distance between the fingers on the way to the part, in metres.
        releases: The fingers open at the end of the path, and the hand withdraws.
        plane: Where 2D waypoints lie: "upright" (the vertical plane through the first
            that faces the camera), "level" (its horizontal plane), or "arc" (the last
            on the surface that the pixel shows, the others above the way there).
    """

    grips: bool
    opening: float
    releases: bool
    plane: str

    @property
    def withdraws(self) -> bool:
        """Whether the hand leaves the object at the end."""
        return self.releases or not self.grips


WIDE = 0.08  # all the way
NARROW = 0.036  # between a handle and the board behind it
BLADE = 0.024  # two points of contact keep what is pushed from turning
LIFT = Skill(grips=True, opening=WIDE, releases=False, plane="upright")
PULL = Skill(grips=True, opening=NARROW, releases=False, plane="level")
PLACE = Skill(grips=True, opening=WIDE, releases=True, plane="arc")
PUSH = Skill(grips=False, opening=BLADE, releases=False, plane="level")
PRESS = Skill(grips=False, opening=0.0, releases=False, plane="upright")
