"""Names of scenes: built in, or from installed packages."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import entry_points

from envs.contract import check_task
from envs.factors import check_choice

ENTRY_POINTS = "graspo.scenes"
_tasks: dict[str, type] = {}


def register_scene(name: str) -> Callable[[type], type]:
    """Class decorator: makes a `Task` a scene with this name.

    Raises:
        ValueError: If another class holds the name, or the class is no task.
    """

    def register(task: type) -> type:
        check_task(name, task)
        taken = _tasks.setdefault(name, task)
        if (taken.__module__, taken.__qualname__) != (
            task.__module__,
            task.__qualname__,
        ):
            raise ValueError(f"scene {name!r} is already registered by {taken}")
        return task

    return register


def load_plugins() -> None:
    """Imports the scenes of installed packages; a broken one is named in a warning."""
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # noqa: BLE001  (a package may raise anything)
            warnings.warn(f"scene plug-in {point.value!r}: {error!r}", stacklevel=2)


def list_scenes() -> list[str]:
    """All registered names, sorted."""
    return sorted(_tasks)


def has_expert(name: str) -> bool:
    """Whether a scene has a scripted expert, and so a reference."""
    return hasattr(get_task(name), "expert")


def get_task(name: str) -> type:
    """The class registered under a name; an unknown name lists the valid ones."""
    check_choice("env", name, list_scenes())
    return _tasks[name]
