"""The records that pass between the stages of the loop. Read this file first.

    Scene -> Observation -> text -> Plan | ParseFailure -> Waypoints -> Outcome

Conventions: images are indexed [row v, column u] with the origin at the top left;
image units are fractions 0..1 of the width (u) and the height (v); the world frame
has z up, the robot's base at its origin and the table's surface at z = 0; the camera
frame is OpenCV's (x right, y down, z forward). Lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

MIN_WAYPOINTS, MAX_WAYPOINTS = 3, 10
"""How many points the path of an answer has."""

UNTOLD = "none"
"""Nothing is told beside the instruction: `knowledge=` of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A calibrated pinhole camera.

    Attributes:
        width: Image width W in pixels.
        height: Image height H in pixels.
        K: [3, 3] intrinsics in pixels; the centre of pixel (0, 0) is at (0.5, 0.5).
        T_world_camera: [4, 4] pose of the camera in the world, OpenCV axes.
    """

    width: int
    height: int
    K: NDArray[np.float64]
    T_world_camera: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the policy sees and is asked.

    Attributes:
        image: [H, W, 3] uint8 RGB.
        instruction: The task in words.
        waypoints: "2d", or "3d": the answer's waypoints are to have heights.
        answer: One of `ANSWERS`: a whole plan is wanted, or one of its two parts.
        knowledge: Where a sentence to tell beside the instruction is looked up, by
            whoever writes the prompt; nowhere by default.
    """

    image: NDArray[np.uint8]
    instruction: str
    waypoints: str = "2d"
    answer: str = "plan"
    knowledge: str = UNTOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation(Question):
    """A question about a scene, with the calibration that the executor needs.

    Attributes:
        camera: The camera that took the image.
    """

    camera: Camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Completion:
    """What a policy said.

    Attributes:
        text: The decoded answer, special tokens left out.
        token_ids: The T sampled tokens, the end-of-text token included where sampled;
            none where no model said it.
        logprobs: [T] float32 log-probability of each token at the sampling temperature.
        finished: Whether the policy ended it; False when the token limit cut it off.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: NDArray[np.float32] = field(
        default_factory=lambda: np.empty(0, np.float32)
    )
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where one part of an answer stands in its text.

    Attributes:
        name: "box" or "waypoint".
        index: 0 for the box, else the waypoint's place in the path.
        start: First character of the part's first number.
        end: One past the last character of its last number.
    """

    name: str
    index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A model's answer, read: where to touch and where to go.

    Attributes:
        box: (x1, y1, x2, y2) affordance box in image units, x1 < x2 and y1 < y2.
        waypoints: 3 to 10 points in image units, the first at contact, the last at
            the goal; each (x, y), or each (x, y, height above the table in metres).
        thought: The text between the think tags.
        well_formed: Whether the whole text kept the format, not only its answer.
        parts: Where the box, then each waypoint, stands in the text that was read;
            empty for an answer that was not read from one. Equal answers may differ
            in it.
    """

    kind: ClassVar[str] = "plan"
    box: tuple[float, float, float, float]
    waypoints: tuple[tuple[float, ...], ...]
    thought: str = ""
    well_formed: bool = True
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)

    def strip(self) -> Plan:
        """The plan without what does not matter for its execution."""
        return replace(self, thought="", well_formed=True)

    def move(self, right: float, down: float) -> Plan:
        """The whole plan elsewhere in the image, by image units, kept inside it."""
        x1, y1, x2, y2 = self.box
        left, low = _keep_inside(x1 + right), _keep_inside(y1 + down)
        box = (left, low, _keep_inside(x2 + right), _keep_inside(y2 + down))
        path = tuple(
            (_keep_inside(x + right), _keep_inside(y + down), *height)
            for x, y, *height in self.waypoints
        )
        return replace(self, box=box, waypoints=path, parts=())


def _keep_inside(coordinate: float) -> float:
    return min(max(coordinate, 0.0), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affordance:
    """The answer of a policy that is asked where to touch, and no more.

    It cannot be executed, only compared with a reference. Attributes as in `Plan`.
    """

    kind: ClassVar[str] = "affordance"
    box: tuple[float, float, float, float]
    thought: str = ""
    well_formed: bool = True
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """The answer of a policy that is asked where to go, and no more.

    It cannot be executed, only compared with a reference. Attributes as in `Plan`.
    """

    kind: ClassVar[str] = "trajectory"
    waypoints: tuple[tuple[float, ...], ...]
    thought: str = ""
    well_formed: bool = True
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)


ANSWERS = (Plan.kind, Affordance.kind, Trajectory.kind)
"""What a policy can be asked for: `answer=` of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseFailure:
    """Why a text is not the answer that was asked for. A value, not an exception.

    Attributes:
        reason: One of `envs.answer.PARSE_FAILURES`.
        detail: The culprit, shortened, for logs.
    """

    reason: str
    detail: str = ""


AnyAnswer = Plan | Affordance | Trajectory | ParseFailure
"""What a text may turn out to mean; of these only a plan can be executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waypoints:
    """A plan lifted to the world.

    Attributes:
        position_world: [K, 3] targets of the tool centre point; the first is the grasp.
        yaw_rad: Rotation of the finger axis about world z at the grasp.
        opening: Distance between the fingers before the grasp, in metres.
    """

    position_world: NDArray[np.float64]
    yaw_rad: float
    opening: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened when a plan was executed.

    Attributes:
        success: Whether the instruction was fulfilled, judged on the settled state.
        reason: "" on success, else why not; a scene lists its own reasons.
        grasped: Whether the named part was held by both fingers at the end.
        progress: 0..1, how far the goal was reached.
        contact_force: Largest net contact force on a finger, in newton.
        smoothness: 0..1, 1 for a straight even motion of the tool.
    """

    success: bool
    reason: str
    grasped: bool = False
    progress: float = 0.0
    contact_force: float = 0.0
    smoothness: float = 1.0


NO_BOX = (0.0, 0.0, 0.0, 0.0)
"""That of an annotated image that has a path alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The expert's answer to one scene, verified in simulation; or an annotation.

    Attributes:
        box: Box of the target part's visible pixels, in image units; `NO_BOX` of an
            annotation that has none.
        waypoints: The expert's path in image units, as in `Plan`; empty in an
            annotation that has none.
        thought: The expert's words.
    """

    box: tuple[float, float, float, float]
    waypoints: tuple[tuple[float, ...], ...]
    thought: str = ""

    def to_plan(self) -> Plan:
        """The expert's answer as a policy would give it.

        Annotated paths may be of any length: one that no answer can have is walked from
        its first point to its last in as many even steps as one can.
        """
        path = _fit_path(self.waypoints)
        return Plan(box=self.box, waypoints=path, thought=self.thought)

    def to_answer(self, kind: str) -> Plan | Affordance | Trajectory:
        """What of it a policy would give that is asked for one of `ANSWERS`."""
        if kind == Affordance.kind:
            return Affordance(box=self.box, thought=self.thought)
        if kind == Trajectory.kind:
            path = _fit_path(self.waypoints)
            return Trajectory(waypoints=path, thought=self.thought)
        return self.to_plan()


def _fit_path(path: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """A path with a number of points that an answer may have; none stays none."""
    count = min(max(len(path), MIN_WAYPOINTS), MAX_WAYPOINTS)
    if not path or count == len(path):
        return path
    points = np.array(path)
    steps = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
    walked = np.concatenate([[0.0], np.cumsum(steps)])
    if not walked[-1]:  # it goes nowhere in the image
        walked = np.arange(len(path), dtype=np.float64)
    at = np.linspace(0.0, walked[-1], count)
    columns = [np.interp(at, walked, column) for column in points.T]
    return tuple(map(tuple, np.stack(columns, axis=1).tolist()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """Named terms and their weighted total.

    Attributes:
        terms: Name to value in 0..1, every known term (0 where it does not apply).
        total: What the update maximises.
    """

    terms: dict[str, float]
    total: float
