"""What papers print, to stand beside a run's own figures.

From ManipLVM-R1 (arXiv 2505.16517) and VLA-R1: one number each, without interval or
seeds. ManipLVM-R1's release drops paths that cannot be read (`scorer=paper`).
"""

from __future__ import annotations

from dataclasses import dataclass

IN_DOMAIN, OUT_OF_DOMAIN = "ShareRobot", "UMD, VAIT"


@dataclass(frozen=True, slots=True)
class Printed:
    """A line of a paper's table.

    Attributes:
        model: Its name and how it was trained.
        on: The test set.
        iou: %.
        dfd: Discrete Frechet distance, 0..1000 units; None where it is not printed.
        hd: Hausdorff distance.
        rmse: Root mean square distance.
        average: Their mean.
    """

    model: str
    on: str
    iou: float
    dfd: float | None
    hd: float | None
    rmse: float | None
    average: float


def _print(
    model: str,
    inside: tuple[float, float, float, float, float],
    outside: tuple[float, float],
) -> tuple[Printed, Printed]:
    iou, average = outside
    return (
        Printed(model, IN_DOMAIN, *inside),
        Printed(model, OUT_OF_DOMAIN, iou, None, None, None, average),
    )


PRINTED = (
    *_print("Qwen2.5-VL-3B", (6.15, 208, 179, 144, 177), (23.96, 186)),
    *_print("Qwen2.5-VL-32B", (7.40, 126, 113, 85, 107.86), (25.14, 164)),
    *_print("RoboBrain-7B, SFT", (11.79, 156, 137, 107, 133), (22.00, 203)),
    *_print("NORA-3B, SFT", (23.48, 140, 127, 93, 120), (22.44, 127)),
    *_print("ManipLVM-R1-3B", (31.00, 134, 111, 87, 110.87), (28.00, 131.99)),
    *_print("VLA-R1-3B", (36.51, 106, 98, 71, 91.74), (33.96, 93.90)),
)
