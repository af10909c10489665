"""Held-out evaluation: greedy answers, executed and measured (`figures`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from envs.rollout import Rollout
from envs.sampling.suite import Suite
from envs.scene import AnyScene, PictureConfig, Scene
from policy.evaluation.figures import Evaluation, Tally
from policy.rollout.mixed_source import Source
from policy.rollout.play import Answerer, Referee, play
from policy.rollout.workers import AnyConfig, Aside, Workers
from rewards import check_answer

BATCH = 50  # scenes at once: bounds memory, fills the cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """What a policy is asked.

    Attributes:
        source: Where the scenes come from.
        n: How many; of annotated images all, if there are fewer.
        seed: Chooses them; equal seeds give equal scenes to every policy.
        max_turns: Answers to a scene until one succeeds; each sees what the last left.
        suite: Frozen scenes; then the first n of its seeds are taken, and each scene
            must be the one that was frozen.

    Raises:
        ValueError: If n or max_turns is below 1, n more than the suite has, what the
            source varies is not in the suite, or what is asked has no next turn.
    """

    source: Source
    n: int
    seed: int = 0
    max_turns: int = 1
    suite: Suite | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be asked; frozen scenes need not be tried again."""
        if self.n < 1:
            raise ValueError(f"n is {self.n}; at least 1 scene needed")
        self.source.check_turns(self.max_turns)
        self.list_seeds()
        if self.suite is not None:
            draws = self.suite.list_draws(self.source.name, self.source.split)
            object.__setattr__(self, "source", replace(self.source, draws=draws))

    def list_seeds(self) -> list[int]:
        """The seeds of the scenes."""
        if self.suite is None:
            # Of few annotated images each is measured once, however many are wanted.
            seeds = self.source.choose_seeds(self.n, self.seed)
            return [seed for seed in seeds if not self.source.is_repeat(seed)]
        self.source.check_frozen()
        seeds = self.suite.list_seeds(self.source.name, self.source.split)
        if self.n > len(seeds):
            raise ValueError(
                f"n is {self.n}; the suite has {len(seeds)} of {self.source.name!r}"
            )
        return seeds[: self.n]

    def choose(self, seed: int) -> AnyConfig:
        """Returns what the scene of a seed is made from, or where the image is from."""
        return self.source.choose(seed)

    def prepare(self, seed: int) -> Callable[[], AnyScene | PictureConfig]:
        """Returns what makes the scene or image of a seed, to be sent to a process.

        In training the next image is as good as one that cannot be decoded; here each
        is measured once, and of such a one nothing comes but where it is from.
        """
        return self.source.prepare_alone(seed)

    def check_frozen(self, scenes: Sequence[AnyScene]) -> None:
        """Raises a ValueError if a scene is not the suite's."""
        if self.suite is not None:
            self.suite.check([scene for scene in scenes if isinstance(scene, Scene)])


def evaluate(
    answerer: Answerer,
    exam: Exam,
    referee: Referee,
    keep: int = 0,
    progress: Callable[[int], None] = lambda done: None,
    on_episode: Callable[[Sequence[Rollout]], None] = lambda episode: None,
) -> tuple[Evaluation, list[Rollout]]:
    """Answers the scenes of an exam and measures the answers.

    Args:
        answerer: The policy.
        exam: What is asked.
        referee: Builds, executes, and judges the rollouts that are kept.
        keep: Number of scenes whose rollouts are returned, for videos.
        progress: Told the number of scenes done after each batch.
        on_episode: Told the rollouts of each scene, turn after turn.

    Returns:
        The figures, and the rollouts of the first `keep` scenes, turn after turn.

    Raises:
        ValueError: If a scene is not the suite's, the mix has no reward for what is
            asked, or every scene was put aside.
    """
    source = exam.source
    if referee.mix is not None:
        check_answer(referee.mix, source.answer)
    batches = split_batches(exam.list_seeds())
    tally, kept = Tally(source.answer), []
    for found in referee.workers.make_scenes(exam, batches):
        scenes = [*_put_aside(found, referee.workers)]
        exam.check_frozen(scenes)
        for episode in _play_episodes(answerer, scenes, referee, exam.max_turns):
            tally.add(episode)
            on_episode(episode)
            if tally.n <= keep:
                kept += episode
        progress(tally.n)
    if not tally.n:
        raise ValueError(f"none of {exam.n} is left: {referee.workers.aside[-1]}")
    return tally.summarize(), kept


def _put_aside(
    found: Sequence[AnyScene | PictureConfig], workers: Workers
) -> Iterator[AnyScene]:
    """Yields what can be asked; images that cannot be decoded are put aside."""
    for one in found:
        if isinstance(one, PictureConfig):
            why = "it cannot be decoded"
            workers.aside.append(Aside(what="read", why=why, scene=one))
        else:
            yield one


def split_batches(seeds: Sequence[int]) -> list[Sequence[int]]:
    """Returns seeds in batches of `BATCH`."""
    return [seeds[i : i + BATCH] for i in range(0, len(seeds), BATCH)]


def _play_episodes(
    answerer: Answerer, scenes: Sequence[AnyScene], referee: Referee, max_turns: int
) -> list[list[Rollout]]:
    """Returns for each scene its rollouts, the last one a success or the last turn."""
    episodes = [[*group.rollouts] for group in play(answerer, scenes, referee)]
    for _ in range(max_turns - 1):
        failed, pairs = [], []
        for episode in episodes:
            last = episode[-1]
            if isinstance(last.scene, Scene) and not last.succeeded:
                failed.append(episode)
                pairs.append((last.scene, last.answer))
        left = referee.workers.follow_up(pairs)
        for episode, group in zip(failed, play(answerer, left, referee), strict=True):
            episode += group.rollouts
    return episodes
