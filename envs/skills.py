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
            that faces the camera), "level" (its horizontal plane), "arc" (the last on
            the surface that the pixel shows, the others above the way there), or "hook"
            (as an arc, but the last but one as high as the last: the end is level).
        raised: How far the hand carries what it holds above a level plane, in metres,
            to come down again at the last waypoint.
        settles_s: Seconds from the end of the motion until the outcome is read.
    """

    grips: bool
    opening: float
    releases: bool
    plane: str
    raised: float = 0.0
    settles_s: float = 0.3

    @property
    def withdraws(self) -> bool:
        """Whether the hand leaves the object at the end."""
        return self.releases or not self.grips

    @property
    def carries(self) -> bool:
        """Whether what is held leaves its place straight up."""
        return self.releases or self.raised > 0


WIDE = 0.08  # all the way
NARROW = 0.036  # between a handle and the board behind it
BLADE = 0.024  # two points of contact keep what is pushed from turning
LIFT = Skill(grips=True, opening=WIDE, releases=False, plane="upright")
PULL = Skill(grips=True, opening=NARROW, releases=False, plane="level")
# Off the table by a little, or an error of a millimetre presses the tool into it.
SWEEP = Skill(grips=True, opening=WIDE, releases=False, plane="level", raised=0.004)
WIELD = Skill(grips=True, opening=WIDE, releases=False, plane="level", raised=0.08)
INSERT = Skill(grips=True, opening=WIDE, releases=True, plane="level", raised=0.08)
PLACE = Skill(grips=True, opening=WIDE, releases=True, plane="arc")
# What hangs swings at first.
HANG = Skill(grips=True, opening=WIDE, releases=True, plane="hook", settles_s=0.6)
PUSH = Skill(grips=False, opening=BLADE, releases=False, plane="level")
PRESS = Skill(grips=False, opening=0.0, releases=False, plane="upright")
