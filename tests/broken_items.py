"""Annotated images that cannot be used."""

from __future__ import annotations

import math

BROKEN = {  # the reason, and what is wrong with an item
    "missing_image": {"image": "images/none.png"},
    "truncated_image": {"image": "images/cut.png"},
    "unreadable_image": {"image": "images/text.png"},
    "box_outside": {"box": [0.5, 0.5, 1.2, 0.9]},
    "empty_box": {"box": [0.3, 0.2, 0.3, 0.4]},
    "few_points": {"waypoints": [[0.2, 0.3]]},
    "point_outside": {"waypoints": [[0.2, 0.3], [0.2, -0.5]]},
    "not_a_number": {"box": [0.1, 0.2, math.nan, 0.4]},
    "wrong_type": {"waypoints": [["a", "b"], ["c", "d"]]},
    "missing_field": {"box": None, "waypoints": None},
    "no_instruction": {"instruction": "  "},
}
