"""Scenes as Gymnasium environments: the action is the text of an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs import registry
from envs.answer import parse_answer
from envs.cameras.overview import Overview
from envs.execution.execute import Answer, run
from envs.gym import texts
from envs.gym.extras import EXTRAS
from envs.randomization.factors import check_choice
from envs.records import Outcome, Reference
from envs.robot import get_robot
from envs.sampling.sample import sample_scene
from envs.sampling.turns import observe_after, retract
from envs.scene import IMAGE_SIZE, Scene, SceneConfig

SEEDS = 2**31  # scenes of a split
PICTURE_SIZE = (640, 480)  # of `render`: width and height in pixels
RENDER_MODES = (None, "rgb_array")
OPTIONS = tuple(f.name for f in fields(SceneConfig) if f.name != "name")


class Judged(Protocol):
    """What a reward function returns; `rewards.score` returns one."""

    @property
    def terms(self) -> dict[str, float]:
        """Name to value in 0..1."""
        ...

    @property
    def total(self) -> float:
        """The reward of the step."""
        ...


RewardFn = Callable[[Answer, Reference | None, Outcome], Judged]


class ManipulationEnv(gymnasium.Env[dict[str, Any], str]):
    """One scene an episode; one step is one answer, executed to its end.

    Any text is a legal action: what cannot be read or executed moves nothing, and its
    reason stands in `info["failure_reason"]`. Success terminates. After a failure the
    arm goes home, the objects come to rest where they are, and a new image asks for the
    next answer; `gymnasium.make` adds the limit of turns.

    Args:
        scene: A registered scene.
        reward_fn: (answer, reference, outcome) to a reward with `total` and `terms`,
            such as `functools.partial(rewards.score, mix=mix)`; None rewards success.
        render_mode: None or "rgb_array", the overview camera's picture.
        extras: What else is observed: "depth", "segmentation", "target",
            "proprioception"; see `envs.gym.extras.EXTRAS`.
        **options: Fields of `envs.scene.SceneConfig` but the seed: split, shifts,
            waypoints, camera, robot and so on.

    Attributes:
        config: What every episode's scene is made from, but its seed.

    Raises:
        ValueError: An unknown scene, split, shift, extra or render mode, or a camera
            that cannot be.
        TypeError: An unknown option.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": 1,
    }

    def __init__(
        self,
        scene: str,
        reward_fn: RewardFn | None = None,
        render_mode: str | None = None,
        extras: Sequence[str] = (),
        **options: Any,
    ) -> None:
        registry.check_name(scene)
        for extra in extras:
            check_choice("extra", extra, tuple(EXTRAS))
        self.config = SceneConfig(name=scene, **options)
        if render_mode not in RENDER_MODES:
            raise ValueError(
                f"unknown render_mode {render_mode!r}; valid: None, rgb_array"
            )
        self.render_mode = render_mode
        task, robot = registry.get_task(scene), get_robot(self.config.robot)
        shown: dict[str, spaces.Space[Any]] = {
            "image": spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8),
            "instruction": texts.Instruction(),
        }
        self.observation_space = spaces.Dict(
            shown | {extra: EXTRAS[extra].make_space(task, robot) for extra in extras}
        )
        self.action_space = texts.Answer()
        self._extras = tuple(extras)
        self._reward_fn = reward_fn
        self._scene: Scene | None = None
        self._overview: Overview | None = None

    @property
    def scene(self) -> Scene:
        """The current scene, for experts and metrics.

        Raises:
            gymnasium.error.ResetNeeded: Before the first reset.
        """
        if self._scene is None:
            raise gymnasium.error.ResetNeeded("call reset() before step() or render()")
        return self._scene

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Samples a scene; equal seeds give equal scenes, bit for bit.

        Args:
            seed: Seeds the environment's generator, which draws the scenes' seeds.
            options: Fields of `envs.scene.SceneConfig` for this episode, instead of
                the environment's: `{"split": "ood"}`, or the `seed` of a scene, as
                `info["seed"]` tells it.

        Raises:
            ValueError: An unknown option, or one that cannot be.
        """
        super().reset(seed=seed)
        for option in options or {}:
            check_choice("option", option, OPTIONS)
        drawn = {"seed": int(self.np_random.integers(SEEDS))}
        config = replace(self.config, **drawn | (options or {}))
        self._check_arm(config.robot)
        self._scene = sample_scene(config)
        self._close_overview()  # it belongs to the last scene's model
        return self._observe(), self._describe()

    def _check_arm(self, robot: str) -> None:
        """Refuses an arm that is observed with as many joints as another has."""
        own = self.config.robot
        if "proprioception" in self._extras and (
            get_robot(robot).size != get_robot(own).size
        ):
            raise ValueError(
                f"robot {robot!r} has other joints than {own!r}, and proprioception is "
                f"observed: make an environment with robot={robot!r}"
            )

    def step(
        self, action: str
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Executes one answer.

        Args:
            action: Any text, in or outside the action space.

        Returns:
            Observation, reward, terminated (success), truncated (never here) and info:
            `success`, `is_success`, `outcome`, `reward_terms`, `failure_reason`,
            `task_description` and `seed`.

        Raises:
            TypeError: Not a text.
        """
        if not isinstance(action, str):
            raise TypeError(
                f"action is of type {type(action).__name__}, but an answer is a text; "
                "envs.ArrayAction(env) takes arrays"
            )
        before = self.scene
        answer = parse_answer(action)
        outcome, playback = run(before, answer)
        total, terms = self._judge(answer, before.reference, outcome)
        if playback is not None and playback.after is not None:
            follow = observe_after if outcome.success else retract
            self._scene = follow(before, playback.after)
        info = {
            **self._describe(),
            "success": outcome.success,
            "is_success": outcome.success,
            "outcome": outcome,
            "reward_terms": terms,
            "failure_reason": outcome.reason,
        }
        return self._observe(), total, outcome.success, False, info

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """[480, 640, 3] picture of the stage, or None without a render mode."""
        if self.render_mode is None:
            return None
        if self._overview is None:
            self._overview = Overview(self.scene.model, *PICTURE_SIZE)
        return self._overview.render(self.scene.data)

    def close(self) -> None:
        """Frees the graphics memory."""
        self._close_overview()

    def _judge(
        self, answer: Answer, reference: Reference | None, outcome: Outcome
    ) -> tuple[float, dict[str, float]]:
        if self._reward_fn is None:
            return float(outcome.success), {"success": float(outcome.success)}
        reward = self._reward_fn(answer, reference, outcome)
        return float(reward.total), dict(reward.terms)

    def _observe(self) -> dict[str, Any]:
        observation = self.scene.observation
        return {
            "image": observation.image.copy(),
            "instruction": observation.instruction,
            **{extra: EXTRAS[extra].read(self.scene) for extra in self._extras},
        }

    def _describe(self) -> dict[str, Any]:
        return {"task_description": self.scene.instruction, "seed": self.scene.seed}

    def _close_overview(self) -> None:
        if self._overview is not None:
            self._overview.close()
            self._overview = None
