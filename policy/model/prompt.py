"""From an observation to the words and the image a model is asked with.

What is known beside the instruction (`policy/knowledge.py`) follows it in both styles.

Two styles. `paper`: the wording of ManipLVM-R1 for one of its subtasks, affordance or
trajectory, or for both at once, with the answer grammar explained, for pretrained
models. `short`: the instruction alone, for a policy that was trained to know the rest.
The style is stored with a policy (`settings.py`), so that training and evaluation ask
alike.
"""

from __future__ import annotations

import re
from typing import Any

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS, NORMALIZED, Codec, format_answer
from envs.records import Affordance, Plan, Question, Reference, Trajectory
from policy.knowledge import recall
from policy.records import Prompt

STYLES = ("paper", "short")
HEIGHTS = {
    "2d": "",
    "3d": " The third number of a trajectory point, h, is its height above the table "
    "in millimetres.",
}

_BOX = "a possible affordance area of the end effector"
_PATH = (
    f"{MIN_WAYPOINTS}-{MAX_WAYPOINTS} trajectory points of the end effector to "
    "complete the task"
)
_WANTED = {
    Plan.kind: f"{_BOX}, and {_PATH}",
    Affordance.kind: _BOX,
    Trajectory.kind: _PATH,
}
_BOX_MEANS = "The affordance area is the box [x1, y1, x2, y2] around the part to touch."
_PATH_MEANS = (
    "The first trajectory point is where the end effector makes contact, the last one "
    "is where it has to end."
)
_MEANINGS = {
    Plan.kind: f"{_BOX_MEANS} {_PATH_MEANS}",
    Affordance.kind: _BOX_MEANS,
    Trajectory.kind: _PATH_MEANS,
}
_PAPER = """\
You are a robot using the joint control. The task is "{instruction}".{known} \
Please predict {wanted}.
{meaning}
{coordinates}
First think about the task inside <think> </think>, then give the answer as JSON \
inside <answer> </answer>, exactly in this format:
{grammar}"""


def build_prompt(observation: Question) -> Prompt:
    """Returns the prompt that puts a question to the policy."""
    return Prompt(
        image=observation.image,
        instruction=observation.instruction,
        waypoints=observation.waypoints,
        answer=observation.answer,
        knowledge=recall(observation.knowledge, observation.instruction),
    )


def build_messages(
    prompt: Prompt, style: str = "paper", codec: Codec = NORMALIZED
) -> list[dict[str, Any]]:
    """Returns one user turn for a chat template: the image's place, then the words.

    Args:
        prompt: The question.
        style: One of `STYLES`.
        codec: The coordinates the answer is expected in.

    Raises:
        ValueError: If the style is unknown.
    """
    content = [
        {"type": "image"},
        {"type": "text", "text": format_words(prompt, style, codec)},
    ]
    return [{"role": "user", "content": content}]


def format_words(prompt: Prompt, style: str, codec: Codec = NORMALIZED) -> str:
    """Returns the words of a prompt; see `build_messages`."""
    known = f" {prompt.knowledge}" if prompt.knowledge else ""
    if style == "short":
        return f"{prompt.instruction}.{known}" if known else prompt.instruction
    if style == "paper":
        return _PAPER.format(
            instruction=prompt.instruction,
            known=known,
            wanted=_WANTED[prompt.answer],
            meaning=_MEANINGS[prompt.answer],
            coordinates=_describe_coordinates(codec) + _describe_heights(prompt),
            grammar=_show_grammar(prompt),
        )
    raise ValueError(f"unknown prompt style {style!r}; choose one of {STYLES}")


def _describe_coordinates(codec: Codec) -> str:
    width, height = int(codec.width), int(codec.height)
    start = "Coordinates are whole numbers"
    if codec == NORMALIZED:
        return (
            f"{start} from 0 to {width}: x from the left edge of the image to its "
            "right edge, y from its top edge to its bottom edge."
        )
    return (
        f"{start} of pixels in the image of {width} x {height} pixels: x from 0 at "
        f"its left edge to {width} at its right edge, y from 0 at its top edge to "
        f"{height} at its bottom edge."
    )


def _describe_heights(prompt: Prompt) -> str:
    return "" if prompt.answer == Affordance.kind else HEIGHTS[prompt.waypoints]


def _show_grammar(prompt: Prompt) -> str:
    """A formatted answer with letters for numbers, so that it cannot disagree."""
    names = ["x", "y", "h"] if prompt.waypoints == "3d" else ["x", "y"]
    example = Reference(
        box=(0.1, 0.2, 0.3, 0.4),
        waypoints=((0.1, 0.2, 0.3)[: len(names)],) * MIN_WAYPOINTS,
        thought="your thoughts",
    )
    corners = [] if prompt.answer == Trajectory.kind else ["x1", "y1", "x2", "y2"]
    letters = iter(corners + names * MIN_WAYPOINTS)
    text = format_answer(example.to_answer(prompt.answer))
    return re.sub(r"\d+", lambda _: next(letters), text)
