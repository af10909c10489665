"""Scenes, execution and images, above the bare physics and rendering under them."""

from __future__ import annotations

from functools import partial

import numpy as np

import envs
from envs.cameras.bare import open_renderer
from envs.cameras.render import render
from envs.cameras.viewpoint import CAMERA
from envs.execution.compare import compare_executors, compare_with_physics
from envs.scene import IMAGE_SIZE

from .figures import Figure, Figures, divide, summarise, summarise_rows
from .stopwatch import time_call
from .workload import Workload

IMAGES = 20  # a round


def measure_scenes(work: Workload) -> Figures:
    """Returns milliseconds of making a scene, and the executor over bare physics."""
    env, rows = work.source.names[0], []
    for seed in range(2 * work.size.rounds):  # scenes differ by a few percent
        scene = envs.make_scene(env, seed=seed)
        make = partial(envs.make_scene, env, seed=seed)
        rows.append(
            {
                "reset_ms": 1e3 * time_call(make),
                "reset_unverified_ms": 1e3 * time_call(partial(make, verify=False)),
                "execute_over_raw": compare_with_physics(scene),
            }
        )
    return summarise_rows(rows)


def measure_images(work: Workload) -> Figures:
    """Returns milliseconds of an image, and its time over the bare drawing."""
    scene = envs.make_scene(work.source.names[0], verify=False)
    view = (scene.state, CAMERA)
    size = work.size.image or IMAGE_SIZE
    with open_renderer(*view, size) as draw:
        render(*view, size, size)  # opens its own context
        pairs = [
            (time_call(lambda: render(*view, size, size)), time_call(draw))
            for _ in range(IMAGES * work.size.rounds)
        ]
    ours, bare = zip(*pairs, strict=True)
    return {
        "render_ms": summarise([1e3 * seconds for seconds in ours]),
        "render_over_raw": divide(ours, bare),
    }


def measure_execution(work: Workload) -> Figures:
    """Returns speed over the plain executor, and the share of equal verdicts.

    Over plans of mixed quality, from sound to senseless, of every built-in scene.
    """
    ratios, agreed = [], []
    for name in envs.scenes.__all__:
        for seed in range(work.size.seeds):
            scene = envs.make_scene(name, "test", seed)
            ratio, same = compare_executors(scene, seed)
            ratios.append(ratio)
            agreed.append(float(np.mean(same)))
    mean = float(np.mean(agreed))
    return {
        "execute_speedup": summarise(ratios),
        "same_verdicts": Figure(median=mean, low=min(agreed), high=max(agreed)),
    }
