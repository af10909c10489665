"""The built-in scenes, one file each; importing this package registers them."""

from envs.scenes import pick_mug

__all__ = ["pick_mug"]
