"""Objects from ordinary MJCF files, with their meshes and textures."""

from envs.mjcf.placing import add_mjcf, split_part
from envs.mjcf.reading import Mjcf

__all__ = ["Mjcf", "add_mjcf", "split_part"]
