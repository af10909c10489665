"""Scenes of things that others drew, behind the extra `meshes`; see `LICENSES.md`."""

from envs.kitchen import hinge, kettle, knob, microwave, pick_thing, slide, switch

__all__ = [
    "hinge",
    "kettle",
    "knob",
    "microwave",
    "pick_thing",
    "slide",
    "switch",
]
