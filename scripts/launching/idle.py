"""Keys that a command takes and that change nothing there: refused, not ignored.

It takes them because a part of the configuration has them that other commands share.
Whoever types one wants something: `why` says where that is to be had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from launching.settings import list_overrides

ANSWERING = ("evaluate", "export", "play", "record")
SAMPLING = ("prompts", "num_generations", "temperature", "focus")
TRAINING = ("lora", "trainable", "gradient_checkpointing")
OF_SCENES = (
    *("env", "policy", "split", "shifts", "robot", "look", "varied", "without"),
    *("waypoints", "answer", "knowledge", "camera", "seed"),
)
OF_ASKING = ("rollout.max_new_tokens", "policy.dtype", "policy.device")
EPISODES = "lerobot"
PROMPTS = ("trl", "verl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Keys that change nothing.

    Attributes:
        commands: Where.
        keys: Which, with all that is below them.
        why: What is said of one that is typed.
        when: Tells of a configuration whether it is so; always if None.
    """

    commands: tuple[str, ...]
    keys: tuple[str, ...]
    why: str
    when: Callable[[DictConfig], object] | None = None

    def covers(self, command: str, key: str) -> bool:
        """Whether a key of a command is among them."""
        mine = any(key == one or key.startswith(f"{one}.") for one in self.keys)
        return mine and command in self.commands


TABLE = (
    Idle(
        commands=ANSWERING,
        keys=tuple(f"rollout.{key}" for key in SAMPLING),
        why="is for train.py; here a policy gives its likeliest answer",
    ),
    Idle(
        commands=("evaluate", "play", "record"),
        keys=("rollout.max_turns",),
        why="is for train.py; here max_turns= tells the turns of a scene",
    ),
    Idle(
        commands=("export",),
        keys=("rollout.max_turns",),
        why="is for train.py; here a policy answers each scene once",
    ),
    Idle(
        commands=ANSWERING,
        keys=tuple(f"policy.{key}" for key in TRAINING),
        why="is for train.py; here nothing is trained",
    ),
    Idle(
        commands=("play",),
        keys=("rollout.engine", "rollout.address"),
        why="is for other commands; the playground simulates on this machine",
    ),
    Idle(
        commands=("play",),
        keys=("max_turns", "reward", "run_dir", "rollout.workers"),
        why="is for the page; view=true shows one answer and keeps nothing",
        when=lambda config: config.view,
    ),
    Idle(
        commands=("play",),
        keys=("policy",),
        why="view=true shows what one policy does",
        when=lambda config: config.view and "names" in config.policy,
    ),
    Idle(
        commands=("record",),
        keys=(*OF_SCENES, "max_turns", "reward", "rollout", "data"),
        why="run_dir= shows answers that were given",
        when=lambda config: config.run_dir,
    ),
    Idle(
        commands=("export",),
        keys=(*OF_SCENES, "rollout.max_new_tokens"),
        why="run_dir= takes answers that were given",
        when=lambda config: config.run_dir,
    ),
    Idle(
        commands=("export",),
        keys=("log",),
        why="is a file of run_dir=, which is missing",
        when=lambda config: not config.run_dir,
    ),
    Idle(
        commands=("export",),
        keys=("lossless", "reward"),
        why=f"is for format={EPISODES} alone",
        when=lambda config: config.format != EPISODES,
    ),
    Idle(
        commands=("export",),
        keys=OF_ASKING,
        why=f"is for answers; format={' and '.join(PROMPTS)} write what is asked",
        when=lambda config: config.format in PROMPTS,
    ),
)


def check_idle(config: DictConfig) -> None:
    """Refuses keys on the command line that would change nothing.

    Raises:
        ValueError: The first of them.
    """
    command = str(HydraConfig.get().job.config_name)
    for key, value in list_overrides().items():
        for idle in TABLE:
            if idle.covers(command, key) and (idle.when is None or idle.when(config)):
                raise ValueError(f"{key}={value}: {idle.why}")


def is_idle(command: str, key: str) -> bool:
    """Whether a key never changes anything in a command."""
    return any(idle.when is None and idle.covers(command, key) for idle in TABLE)
