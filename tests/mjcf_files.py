"""MJCF files as strangers write them, and a world for what is in them."""

from __future__ import annotations

import warnings
from pathlib import Path

import mujoco
from PIL import Image

from envs.mjcf import add_mjcf

ODD = """
<mujoco>
  <option timestep="0.001" cone="pyramidal"/>
  <size njmax="500" nuser_body="3"/>
  <asset>
    <texture name="far" type="2d" builtin="flat" width="8" height="8"/>
    <material name="far" texture="far"/>
  </asset>
  <worldbody>
    <body name="robot" pos="3 3 3"><geom size="0.1" material="far"/></body>
    <body name="lamp" pos="1 2 3" euler="90 0 0">
      <freejoint/>
      <geom type="cylinder" size="0.02 0.03"/>
      <body pos="0 0 0.03"><geom size="0.02"/></body>
      <body name="glow"><geom size="0.5" contype="0" conaffinity="0" mass="0"/></body>
    </body>
  </worldbody>
  <keyframe><key name="up"/></keyframe>
</mujoco>
"""
WILD = """
<mujoco>
  <compiler angle="degree" meshdir="shapes" texturedir="pictures"
            inertiagrouprange="0 4"/>
  <include file="defaults.xml"/>
  <asset>
    <texture name="skin" type="2d" file="skin.png"/>
    <material name="skin" texture="skin"/>
    <mesh name="half" file="half.obj" scale="0.02 0.02 0.02"/>
    <mesh name="lid" file="half.obj" scale="0.02 0.02 0.01"/>
    <mesh name="unused" file="nowhere.obj"/>
  </asset>
  <worldbody>
    <light pos="0 0 3"/>
    <body name="table"><joint name="turn"/><geom size="1 1 0.1" type="box"/></body>
    <body name="box" childclass="shown">
      <freejoint/>
      <light pos="0 0 1"/>
      <camera name="scene" pos="0 0 1"/>
      <site name="tip"/>
      <geom mesh="half" material="skin"/>
      <geom class="solid" mesh="half"/>
      <body name="lid" pos="0 0 0.04">
        <joint name="turn_lid" type="hinge" range="0 90" damping="1"/>
        <geom mesh="lid" material="skin"/>
        <geom class="solid" mesh="lid"/>
      </body>
      <body name="knob" pos="0 0 0.07">
        <joint name="shift" type="slide" range="0 0.02"/>
        <geom class="solid" type="sphere" size="0.005"/>
      </body>
    </body>
  </worldbody>
  <equality>
    <joint joint1="turn_lid" joint2="shift" polycoef="0 78 0 0 0"/>
    <joint joint1="turn_lid" joint2="turn"/>
    <weld body1="box" body2="table"/>
    <connect body1="box" body2="lid" anchor="0 0 0"/>
  </equality>
  <tendon><fixed name="t"><joint joint="turn_lid" coef="1"/></fixed>
    <fixed name="far"><joint joint="turn" coef="1"/></fixed></tendon>
  <contact><exclude body1="box" body2="lid"/>
    <exclude body1="box" body2="table"/></contact>
  <actuator><position joint="turn_lid" kp="3"/><motor tendon="t"/></actuator>
  <sensor><jointpos joint="turn_lid"/><force site="tip"/></sensor>
</mujoco>
"""
DEFAULTS = """
<mujocoinclude>
  <default>
    <default class="shown"><geom type="mesh" contype="0" conaffinity="0" group="2"/>
      <default class="solid"><geom contype="1" conaffinity="1" group="4"/></default>
    </default>
  </default>
</mujocoinclude>
"""
CUBE = (
    "".join(f"v {x} {y} {z}\n" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1))
    + "f 1 2 4 3\nf 5 7 8 6\nf 1 5 6 2\nf 3 4 8 7\nf 1 3 7 5\nf 2 6 8 4\n"
)


def write_odd(folder: Path) -> Path:
    """A lamp that moves, after a robot that does not."""
    path = folder / "odd.xml"
    path.write_text(ODD)
    return path


def write_wild(folder: Path) -> Path:
    """A file with all that files in the wild have."""
    for inner in ("shapes", "pictures"):
        (folder / inner).mkdir()
    (folder / "shapes" / "half.obj").write_text(CUBE)
    Image.new("RGB", (900, 600), (200, 30, 30)).save(folder / "pictures/skin.png")
    (folder / "defaults.xml").write_text(DEFAULTS)
    path = folder / "wild.xml"
    path.write_text(WILD)
    return path


def place(source: object, **how: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """A world with nothing but an object in it; any warning is an error."""
    spec = mujoco.MjSpec()
    with warnings.catch_warnings(action="error"):
        add_mjcf(spec, source, "thing", 0.5, 0.1, **{"yaw": 0.3, **how})
        model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data
