"""Names of scenes: built in, or from installed packages, and their Gymnasium ids."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points

import gymnasium

from envs.contract import check_task, has_own
from envs.meshes.extra import find_assets
from envs.randomization.factors import check_choice

ENTRY_POINTS = "graspo.scenes"
MAKERS = "envs.gym.registration"  # by name: it stands on top of this
_tasks: dict[str, type] = {}
_extras: dict[str, str] = {}  # of scenes that need one, installed or not


def register_scene(name: str, extra: str = "") -> Callable[[type], type]:
    """Class decorator: makes a `Task` a scene, and `graspo/<Name>-v0` its environment.

    Args:
        name: The scene's.
        extra: The extra of this package that the scene needs; `env=all` leaves it out,
            and where it is not installed the scene is not listed.

    Raises:
        ValueError: If another class holds the name or its environment's, or the class
            is no task. The same class again, edited meanwhile, takes its own place.
    """

    def register(task: type) -> type:
        check_task(name, task)
        if extra:
            _extras[name] = extra
        if extra and find_assets() is None:
            return task
        _check_free(name, task)
        _tasks[name] = task
        _register_env(name)
        return task

    return register


def _check_free(name: str, task: type) -> None:
    for taken, other in _tasks.items():
        same = (other.__module__, other.__qualname__) == (
            task.__module__,
            task.__qualname__,
        )
        if taken == name and not same:
            raise ValueError(f"scene {name!r} is already registered by {other}")
        if taken != name and name_env(taken) == name_env(name):
            raise ValueError(
                f"scene {name!r} would be {name_env(name)}, as {taken!r} is: choose "
                "another name"
            )


def _register_env(name: str) -> None:
    """Makes a scene known to `gymnasium.make`; again is no harm."""
    if name_env(name) not in gymnasium.registry:
        gymnasium.register(
            id=name_env(name),
            entry_point=f"{MAKERS}:build_env",
            vector_entry_point=f"{MAKERS}:make_vec",
            kwargs={"scene": name},
        )


def name_env(name: str) -> str:
    """The Gymnasium id of a scene: "pick_mug" is "graspo/PickMug-v0"."""
    words = re.split(r"[^0-9a-zA-Z]+", name)
    camel = "".join(word[:1].upper() + word[1:] for word in words)
    return f"graspo/{camel}-v0"


def load_plugins() -> None:
    """Imports the scenes of installed packages; a broken one is named in a warning.

    Of a package that fails half-way no scene stays: processes could not import it.
    """
    for point in entry_points(group=ENTRY_POINTS):
        known = {*_tasks, *_extras}
        try:
            point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  a package may do anything
            _forget({*_tasks, *_extras} - known)
            warnings.warn(f"scene plug-in {point.value!r}: {error!r}", stacklevel=2)


def _forget(names: Iterable[str]) -> None:
    for name in names:
        _extras.pop(name, None)
        if _tasks.pop(name, None):
            gymnasium.registry.pop(name_env(name), None)


def list_scenes() -> list[str]:
    """All registered names, sorted."""
    return sorted(_tasks)


def list_common() -> list[str]:
    """The names that `env=all` stands for: of scenes that need no extra."""
    return [name for name in list_scenes() if name not in _extras]


def list_absent() -> dict[str, str]:
    """For each scene whose extra is not installed, a line that says what to do."""
    return {
        name: f"env={name} needs the extra {extra}: pip install 'graspo[{extra}]'"
        for name, extra in _extras.items()
        if name not in _tasks
    }


def check_name(name: str, key: str = "env") -> None:
    """Refuses a name that no scene has; `key` is where it was written.

    Raises:
        ValueError: Lists the valid ones, or names the extra that the scene needs.
    """
    if missing := list_absent().get(name):
        raise ValueError(missing)
    check_choice(key, name, list_scenes())


def has_expert(name: str) -> bool:
    """Whether a scene has a scripted expert, and so a reference."""
    return has_own(get_task(name), "expert")


def list_kinds(name: str) -> tuple[str, ...]:
    """The kinds of things of which a scene can do without some; most have none."""
    return getattr(get_task(name), "kinds", ())


def check_without(names: Sequence[str], without: Sequence[str]) -> None:
    """Refuses to leave out what no scene has, and all that a scene has.

    Args:
        names: The scenes.
        without: Kinds of things.

    Raises:
        ValueError: Lists the valid ones.
    """
    known = {name: list_kinds(name) for name in names}
    every = tuple(dict.fromkeys(kind for kinds in known.values() for kind in kinds))
    for kind in without:
        if not every:
            names = ", ".join(known) or "images, but by data.without"
            raise ValueError(f"without={kind}: nothing to leave out of {names}")
        check_choice("without", kind, every)
    for name, kinds in known.items():
        if kinds and {*kinds} <= {*without}:
            raise ValueError(f"without={','.join(without)}: {name} has no kind left")


def get_task(name: str) -> type:
    """The class registered under a name; an unknown name lists the valid ones."""
    check_name(name)
    return _tasks[name]
