"""The part of the page that says which scene is wanted."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from nicegui import ui

from envs import list_scenes
from envs.cameras.viewpoint import LIMITS
from envs.meshes.cover import LOOKS, MESH
from envs.meshes.extra import find_assets
from envs.randomization.factors import AXES, SPLITS
from envs.robot import list_robots
from envs.scene import SceneConfig

UNITS = {"azimuth": "°", "elevation": "°", "distance": "m", "fovy": "°"}
SEEDS = 10_000  # of which one is drawn by the die: short enough to be told


class Chooser:
    """Scene, split, shifts, seed, robot, its look and camera.

    Args:
        start: What is chosen at first.
        on_choice: Awaited whenever something else is.
    """

    def __init__(
        self, start: SceneConfig, on_choice: Callable[[], Awaitable[None]]
    ) -> None:
        self._on_choice = on_choice
        with ui.element("section").classes("chooser"):
            self._name = self._select(list_scenes(), "scene", start.name)
            self._split = self._select(SPLITS, "split", start.split)
            self._shifts = self._select(
                AXES, "shifts", list(start.shifts), multiple=True
            )
            self._shifts.bind_visibility_from(self._split, "value", value="ood")
            self._add_seed(start.seed)
            self._robot = self._select(list_robots(), "robot", start.robot)
            self._add_camera(start)

    def read(self) -> SceneConfig:
        """Returns what is chosen.

        Raises:
            ValueError: It cannot be.
        """
        camera = {
            name: box.value
            for name, box in self._camera.items()
            if box.value is not None
        }
        shifted = self._split.value == "ood"
        return SceneConfig(
            name=self._name.value,
            split=self._split.value,
            seed=int(self._seed.value or 0),
            shifts=tuple(self._shifts.value) if shifted else (),
            camera=camera,
            robot=self._robot.value,
            look=self._look.value,
        )

    def _select(
        self, options: object, label: str, value: object, multiple: bool = False
    ) -> ui.select:
        select = ui.select(
            list(options),  # pyright: ignore
            label=label,
            value=value,
            multiple=multiple,
            on_change=self._on_choice,
        )
        if multiple:
            select.props("placeholder=all stack-label use-chips")
        return select.classes(f"choose-{label}").props("outlined dense options-dense")

    def _add_seed(self, seed: int) -> None:
        with ui.element("div").classes("seed"):
            self._step("chevron_left", "the seed before", -1)
            self._seed = ui.number(
                "seed",
                value=seed,
                min=0,
                precision=0,
                on_change=self._on_choice,
            )
            self._seed.props("outlined dense debounce=400").classes("choose-seed")
            self._step("chevron_right", "the next seed", 1)
            dice = ui.button(icon="casino", on_click=self._roll).props("flat round")
            dice.props('dense aria-label="another seed"').tooltip("any other seed")

    def _step(self, icon: str, label: str, by: int) -> None:
        def move() -> None:
            self._seed.value = max(0, int(self._seed.value or 0) + by)

        button = ui.button(icon=icon, on_click=move).props("flat round dense")
        button.props(f'aria-label="{label}"').tooltip(label)

    def _roll(self) -> None:
        self._seed.value = secrets.randbelow(SEEDS)

    def _add_camera(self, start: SceneConfig) -> None:
        self._camera: dict[str, ui.number] = {}
        with ui.expansion("camera").classes("camera"), ui.element("div"):
            for name, (least, most) in LIMITS.items():
                given = (start.camera or {}).get(name)
                value = given[0] if isinstance(given, tuple) else given
                box = ui.number(
                    name,
                    value=value,
                    min=least,
                    max=most,
                    suffix=UNITS[name],
                    placeholder="drawn",
                    on_change=self._on_choice,
                )
                box.props("outlined dense clearable debounce=600 stack-label")
                self._camera[name] = box
            known = [look for look in LOOKS if look != MESH or find_assets()]
            self._look = self._select(known, "look", start.look)
