"""The built-in scenes, one file each; importing this package registers them."""

from envs.scenes import (
    close_drawer,
    fold_cloth,
    hang_mug,
    insert_peg,
    open_door,
    open_drawer,
    pick_mug,
    place_in_bowl,
    press_button,
    push_to_target,
    stack_blocks,
    sweep_to_zone,
    use_tool,
)

__all__ = [
    "close_drawer",
    "fold_cloth",
    "hang_mug",
    "insert_peg",
    "open_door",
    "open_drawer",
    "pick_mug",
    "place_in_bowl",
    "press_button",
    "push_to_target",
    "stack_blocks",
    "sweep_to_zone",
    "use_tool",
]
