"""A scene and an execution in three dimensions, in the browser: turn it, stop time.

Drawn by mjviser. Its server, viser's, listens on the loopback alone but stands behind
no guard (`policy.playground.guard`). While it runs, any web site that the user visits
can connect to it, read what is shown, work the controls and have viser share the view
at a public address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np
import viser  # pyright: ignore[reportMissingImports]
from mjviser import ViserMujocoScene  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from envs.answer import parse_answer
from envs.cameras.viewpoint import CENTRE
from envs.execution.execute import run
from envs.meshes.cover import bring_forward
from envs.records import Outcome, Plan
from envs.scene import Scene
from envs.video.drawing import BOX
from envs.video.film import FPS, sample_motion
from envs.video.motion import pose
from policy.playground.attempt import lift
from policy.playground.page.overlay import LIFTED

HOST = "127.0.0.1"
WIDTH = 0.004  # m, of the path
PAUSE_S = 1.0  # s that the end stays before the film starts again
EYE = (1.05, 0.6, 0.6)  # m: where a visitor looks from at first


class Stage:
    """A scene on a page of its own, with the time of its execution to slide along.

    Args:
        scene: The scene.
        text: An answer to it.
        server: Where it is shown.
    """

    def __init__(self, scene: Scene, text: str, server: viser.ViserServer) -> None:
        model = copy(scene.model)  # mjviser changes how things are to be drawn
        bring_forward(model)
        self._data = copy(scene.data)
        self._model = model
        answer = parse_answer(text)
        outcome, playback = run(scene, answer, keep_frames=True)
        frames = scene.data.qpos[None] if playback is None else playback.frames
        self._motion = list(sample_motion(scene.state, frames))
        server.initial_camera.position, server.initial_camera.look_at = EYE, CENTRE
        self._drawn = ViserMujocoScene(server, model, num_envs=1)
        self._drawn.camera_tracking_enabled = False
        self._cloths = [_Cloth(server, model, i) for i in range(model.nflex)]
        if isinstance(answer, Plan):
            _draw_path(server, lift(scene, answer))
        self._add_controls(server, scene, outcome, text)
        self.show(0)

    def _add_controls(
        self, server: viser.ViserServer, scene: Scene, outcome: Outcome, text: str
    ) -> None:
        verdict = "success" if outcome.success else outcome.reason.replace("_", " ")
        said = {
            "scene": f"{scene.name}, {scene.split} {scene.seed}",
            "asked": scene.instruction,
            "answer": text,
            "outcome": verdict,
        }
        for name, value in said.items():
            server.gui.add_text(name, value, multiline=len(value) > 30, disabled=True)
        last = len(self._motion) - 1
        self._time = server.gui.add_slider("frame", 0, max(last, 1), 1, 0)
        self._plays = server.gui.add_checkbox("play", True)
        self._time.on_update(lambda _: self.show(int(self._time.value)))

    @property
    def length(self) -> int:
        """How many frames there are, `FPS` a second."""
        return len(self._motion)

    def show(self, frame: int) -> None:
        """Shows a moment of the execution."""
        pose(self._model, self._data, self._motion[min(frame, self.length - 1)])
        self._drawn.update_from_mjdata(self._data)
        for cloth in self._cloths:
            cloth.follow(self._data)

    def play(self) -> Iterator[None]:
        """Goes from frame to frame, for ever, unless the visitor holds it."""
        while True:
            if self._plays.value:
                at = int(self._time.value)
                if at + 1 >= self.length:
                    time.sleep(PAUSE_S)
                self._time.value = (at + 1) % self.length
            time.sleep(1 / FPS)
            yield


class _Cloth:
    """What bends; mjviser draws rigid bodies alone."""

    def __init__(self, server: viser.ViserServer, model: Any, flex: int) -> None:
        start, count = model.flex_vertadr[flex], model.flex_vertnum[flex]
        self._own = slice(start, start + count)
        first = model.flex_elemdataadr[flex]
        corners = model.flex_elem[first : first + 3 * model.flex_elemnum[flex]]
        self._mesh = server.scene.add_mesh_simple(
            f"/cloth{flex}",
            np.zeros((count, 3), np.float32),
            corners.reshape(-1, 3).astype(np.uint32),
            color=(255 * model.flex_rgba[flex, :3]).round().astype(np.uint8),
            side="double",
            flat_shading=False,
        )

    def follow(self, data: Any) -> None:
        """Takes the shape that it has in a state."""
        self._mesh.vertices = data.flexvert_xpos[self._own].astype(np.float32)


def _draw_path(server: viser.ViserServer, path: NDArray[np.float64]) -> None:
    if len(path) > 1:
        pieces = np.stack([path[:-1], path[1:]], axis=1)
        server.scene.add_line_segments("/path", pieces, LIFTED, thickness=WIDTH)
    for i, point in enumerate(path):
        colour = LIFTED if i else BOX
        server.scene.add_icosphere(
            f"/waypoint{i}", radius=0.006, color=colour, position=point
        )


def serve_view(scene: Scene, text: str, port: int, say: Callable[[str], None]) -> None:
    """Shows an execution until Ctrl-C.

    Args:
        scene: The scene.
        text: An answer to it.
        port: Of the loopback; the next one that is free.
        say: Told the address.
    """
    server = viser.ViserServer(host=HOST, port=port, label="Graspo", verbose=False)
    stage = Stage(scene, text, server)
    say(f"http://{HOST}:{server.get_port()}  (Ctrl-C stops)")
    try:
        for _ in stage.play():
            pass
    except KeyboardInterrupt:
        server.stop()
