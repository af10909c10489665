"""The built-in scenes, one file each; importing this package registers them."""

from envs.scenes import (
    close_drawer,
    open_door,
    open_drawer,
    pick_mug,
    place_in_bowl,
    press_button,
    push_to_target,
    stack_blocks,
)

__all__ = [
    "close_drawer",
    "open_door",
    "open_drawer",
    "pick_mug",
    "place_in_bowl",
    "press_button",
    "push_to_target",
    "stack_blocks",
]
