"""Two policies as one: where to touch by the first, where to go by the second.

So the paper's two models would act: each is asked its part of a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from envs.answer import NORMALIZED, PARSERS, format_answer
from envs.records import Affordance, AnyAnswer, Completion, Plan, Trajectory
from envs.scene import AnyScene
from policy.model.prompt import build_prompt
from policy.records import Said
from policy.rollout.play import Answerer


def compose(boxes: Answerer, paths: Answerer) -> Answerer:
    """Returns what answers with the box of one policy and the path of another.

    Where either cannot be read the answer is empty, which nobody can read.
    """

    def answer(scenes: Sequence[AnyScene]) -> Iterator[Said]:
        touched = ask(boxes, scenes, Affordance.kind)
        gone = ask(paths, scenes, Trajectory.kind)
        for place, scene in enumerate(scenes):
            text = join(touched[place], gone[place])
            yield Said(
                place=place,
                prompt=build_prompt(scene.observation),
                completions=[Completion(text=text)],
                codec=NORMALIZED,
            )

    return answer


def ask(answerer: Answerer, scenes: Sequence[AnyScene], kind: str) -> list[AnyAnswer]:
    """Returns a part of a plan for each scene, or why it cannot be read."""
    asked = [
        replace(s, observation=replace(s.observation, answer=kind)) for s in scenes
    ]
    heard = sorted(answerer(asked), key=lambda said: said.place)
    return [PARSERS[kind](said.completions[0].text, said.codec) for said in heard]


def join(box: AnyAnswer, path: AnyAnswer) -> str:
    """Returns both parts as the text of a plan."""
    if isinstance(box, Affordance) and isinstance(path, Trajectory):
        return format_answer(Plan(box=box.box, waypoints=path.waypoints))
    return ""
