"""The Panda's own meshes, as `gymnasium-robotics` brings them."""

from __future__ import annotations

from envs.meshes.cover import ArmMeshes

MESHES = ArmMeshes(
    folder="kitchen_franka/franka_assets/meshes/visual",
    links={
        "arm/base": "link0",
        "arm/hand": "hand",
        **{f"arm/link{i}": f"link{i}" for i in range(1, 8)},
    },
    dark=("arm/link7",),
    fingers={"arm/left_finger": (1, 0, 0, 0), "arm/right_finger": (0, 0, 0, 1)},
    lengthened=1.42,  # our fingertips are 2 cm longer than the stock ones
    pedestal=(0.11, 0.1, 0.35),
    behind=0.04,
)
