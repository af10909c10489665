"""Objects of named parts; what a scene's author takes from `envs.objects`."""

from envs.objects.mug import MugShape, MugSize, add_mug, sample_mug
from envs.objects.placement import Circle
from envs.objects.primitives import (
    COLLIDE_WITH,
    OBJECT_GROUP,
    add_block,
    add_bowl,
    add_can,
    add_free_body,
    add_give,
    add_paint,
    add_ring,
    add_shape,
)
from envs.objects.scraper import ScraperShape, add_scraper

__all__ = [
    "COLLIDE_WITH",
    "OBJECT_GROUP",
    "Circle",
    "MugShape",
    "MugSize",
    "ScraperShape",
    "add_block",
    "add_bowl",
    "add_can",
    "add_free_body",
    "add_give",
    "add_mug",
    "add_paint",
    "add_ring",
    "add_scraper",
    "add_shape",
    "sample_mug",
]
