"""Use the named tool on the named target, held by the part that the use asks for."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.clutter import add_distractors, sample_colours, shade
from envs.objects import Circle
from envs.objects.targets import TARGETS, USES, add_target, find_brought
from envs.objects.tools import KINDS, Tool, add_tool, sample_tool
from envs.predicates import (
    Execution,
    conclude,
    distance,
    disturbed,
    held_by,
    rise,
    shift,
    tilt,
)
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import WIELD
from envs.state import State
from envs.task import Goal
from envs.world import Placement

SEEN = np.array(((0.38, -0.16), (0.63, 0.16)))  # m, x and y of parts seen whole
REACHED = np.array(((0.36, -0.20), (0.64, 0.20)))  # m, x and y of the hand
TURN = ((0, 0.7), (0.7, 0.95))  # rad from across the image: tools on end hide parts
ASKEW = 0.1  # rad between tools, which lie side by side
TRIES = 60  # layouts before a draw is given up
ALIKE = 0.3  # how often both targets are surely of one kind
SECOND = 0.6  # how often there is a second tool
WITHIN = 0.025  # m from the target's middle
NEEDED = 0.010  # m that a nail or a stick gives way
STILL = 0.010  # m that anything else may move
LEVEL = np.deg2rad(20)
# What is said for each kind of target, with its colour and the tool.
WORDINGS = {
    "nail": ("pound the {} nail with the {}", "use the {1} to pound the {0} nail"),
    "stick": ("cut the {} stick with the {}", "use the {1} to cut the {0} stick"),
    "tray": ("scoop from the {} tray with the {}", "put the {1} into the {0} tray"),
    "disc": ("bring the {1} to the {0} disc", "set the {1} on the {0} disc"),
    "mat": ("hand the {1} over at the {0} mat", "hold the {1} out at the {0} mat"),
}
HELD_OUT_WORDINGS = {
    "nail": ("drive the {} nail in with the {}",),
    "stick": ("divide the {} stick in two with the {}",),
    "tray": ("with the {1}, take some from the {0} tray",),
    "disc": ("over to the {0} disc with the {1}",),
    "mat": ("at the {0} mat, give me the {1}",),
}
FULL_NAMES = {"bowl": "bowl of sauce"}  # held-out distractors are empty bowls


@register_scene("use_tool")
class UseTool:
    """Success: the part that works is at the target, the tool held as the use asks."""

    skill = WIELD
    part_classes = ("tool", "handle", "head", "blade", "scoop", "basin", "wall")
    part_classes += tuple(TARGETS)
    kinds = tuple(KINDS)

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds one or two tools and two targets; names one of each."""
        layout = _lay_out(factors)
        if layout is None:
            return []
        colours = sample_colours(factors, len(layout.targets))
        bodies = _add_all(spec, factors, layout, colours)
        return [
            _ask(factors, layout, i, j, colours[j], bodies)
            for i, j in layout.list_uses()
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: a place to hold, over to the target, down."""
        part = state.position(_find_brought(goal, state.model))
        way = (state.position(goal.place) - part) * (1, 1, 0)
        path = _place_to_hold(state, goal.part, rng) + np.outer([0, 0.5, 1], way)
        path[1, 2] += WIELD.raised
        return path

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the tool is, what holds it, and what gave way."""
        part = _find_brought(goal, run.model)
        left = distance(run.after, part, goal.place)
        near = 1 - left / distance(run.before, part, goal.place)
        gives = run.model.body(goal.place).jntnum[0] > 0
        down = shift(run, goal.place) / NEEDED if gives else 1.0
        held = held_by(run, goal.part)
        checks = {
            "disturbed_others": disturbed(run, goal.bystanders, STILL),
            "missed": shift(run, goal.target) < STILL and not held,
            "not_by_part": not held,
            "off_target": left > WITHIN,
            "tilted": tilt(run.after, goal.target) > LEVEL,
            "not_down": down < 1 or rise(run, goal.target) > 2 * STILL,
        }
        return conclude(checks, max(near, 0) * (1 + min(down, 1)) / 2, grasped=held)


def _ask(
    factors: Factors, layout: _Layout, i: int, j: int, colour: str, bodies: list[str]
) -> Goal:
    """Asks for the use of tool i on target j."""
    kind, target = layout.tools[i].kind, layout.targets[j]
    tool, place, hold = f"tool{i}", f"{target}{j}", USES[kind, target]
    words = factors.choice("wording", WORDINGS[target], HELD_OUT_WORDINGS[target])
    return Goal(
        instruction=words.format(colour, FULL_NAMES.get(kind, kind)),
        target=tool,
        part=f"{tool}/{hold}",
        place=place,
        bystanders=tuple(body for body in bodies if body not in (tool, place)),
        thought=f"{kind}, {hold}, {find_brought(kind, target)} to {colour} {target}",
    )


def _find_brought(goal: Goal, model: mujoco.MjModel) -> str:
    """The part that comes to the target: the handle to a mat, else what works."""
    names = [model.body(i).name for i in range(model.nbody)]
    parts = [name for name in names if name.startswith(f"{goal.target}/")]
    to_mat = goal.place.startswith("mat")
    return next(part for part in parts if part.endswith("handle") == to_mat)


def _place_to_hold(
    state: State, part: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """[3] middle of the part's upper side; of a hammer's head, one of its ends."""
    middle = state.position(part)
    if not part.endswith("head"):
        return middle
    return middle + rng.choice((-1, 1)) * state.size(part)[1] * state.axes(part)[:, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Tools and kinds of targets, and where they are on the table [m].

    Attributes:
        tools: One or two.
        targets: Two of `TARGETS`.
        spots: [N, 2] of the targets, then of the tools.
        place: What is left of the table.
    """

    tools: list[Tool]
    targets: list[str]
    spots: NDArray[np.float64]
    place: Placement

    def list_uses(self) -> list[tuple[int, int]]:
        """All that can be done: with tool i on target j."""
        return [
            (i, j)
            for i, tool in enumerate(self.tools)
            for j, target in enumerate(self.targets)
            if (tool.kind, target) in USES
        ]

    def in_reach(self) -> bool:
        """Whether all tools are seen whole, and the hand reaches every use's end."""
        parts, hands = [], []
        for i, j in self.list_uses():
            tool, spot = self.tools[i], self.spots[len(self.targets) + i]
            use = tool.kind, self.targets[j]
            hold, bring = tool.along(USES[use]), tool.along(find_brought(*use))
            parts += [spot + hold * tool.axis, spot + bring * tool.axis]
            hands.append(self.spots[j] + (hold - bring) * tool.axis)
        return _are_inside(parts, SEEN) and _are_inside(hands, REACHED)


def _are_inside(points: list[NDArray[np.float64]], area: NDArray[np.float64]) -> bool:
    return bool(((points > area[0]) & (points < area[1])).all())


def _lay_out(factors: Factors) -> _Layout | None:
    """Draws until there is room for everything, and for every use of it."""
    targets, tools = _choose(factors)
    claims = [_claim(kind, tools) for kind in targets]
    claims += [tool.footprint() for tool in tools]
    for _ in range(TRIES):
        place = Placement(factors.rng)
        spots = np.array(place.place_all(claims))
        layout = _Layout(tools=tools, targets=targets, spots=spots, place=place)
        if len(spots) == len(claims) and layout.in_reach():
            return layout
    return None


def _choose(factors: Factors) -> tuple[list[str], list[Tool]]:
    """Kinds of two targets for one tool; that tool and perhaps another."""
    rng, kinds = factors.rng, factors.keep(KINDS)
    chosen = [kinds[rng.integers(len(kinds))]]
    own = [target for kind, target in USES if kind == chosen[0]]
    targets = [own[k] for k in rng.integers(len(own), size=2)]
    if rng.random() < ALIKE:
        targets[1] = targets[0]
    rivals = [k for k, target in USES if target in targets and k in kinds]
    rivals = [kind for kind in rivals if kind not in chosen]
    if rivals and rng.random() < SECOND:
        chosen.append(rivals[rng.integers(len(rivals))])
    yaw = rng.choice((-1, 1)) * np.pi / 2
    yaw += rng.choice((-1, 1)) * factors.uniform("position", *TURN)
    yaws = rng.normal(yaw, ASKEW, size=len(chosen))
    return targets, [sample_tool(factors, *each) for each in zip(chosen, yaws)]


def _claim(target: str, tools: list[Tool]) -> tuple[Circle, ...]:
    """The room of a target and of all tools that can be brought to it."""
    claim = [Circle(x=0, y=0, radius=TARGETS[target].room)]
    for tool in tools:
        if (tool.kind, target) in USES:
            claim += tool.footprint(tool.along(find_brought(tool.kind, target)))
    return tuple(claim)


def _add_all(
    spec: mujoco.MjSpec, factors: Factors, layout: _Layout, colours: list[str]
) -> list[str]:
    """Adds targets, tools and distractors; returns the names of their bodies."""
    names = [f"{kind}{j}" for j, kind in enumerate(layout.targets)]
    for name, spot, colour in zip(names, layout.spots, colours, strict=False):
        turn = layout.tools[0].yaw + factors.rng.normal(0, ASKEW)
        add_target(spec, name, (*spot, turn), factors, shade(factors, colour))
    for i, tool in enumerate(layout.tools):
        [colour] = sample_colours(factors, 1)
        spot = layout.spots[len(names) + i]
        add_tool(spec, f"tool{i}", tool, spot, shade(factors, colour))
    names += [f"tool{i}" for i in range(len(layout.tools))]
    like = ("plate",) if "disc" in layout.targets else ()
    return names + add_distractors(spec, factors, layout.place, without=like)
