"""Objects in any size: all that is a length grows, and what angles are does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mjcf_files import place

from envs.mjcf import Mjcf


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_size_that_nothing_has_is_refused(scale: float, odd: Path) -> None:
    with pytest.raises(ValueError, match=r"odd\.xml: scale is .*; above 0"):
        Mjcf(odd, scale=scale)


def test_an_object_comes_in_any_size(wild: Path) -> None:
    model, _ = place(wild)
    large, data = place(Mjcf(wild, scale=2.0))
    assert data.body("thing").xpos[2] == pytest.approx(0.04, abs=1e-6)
    assert data.body("thing/lid").xpos[2] == pytest.approx(0.12, abs=1e-6)
    assert large.joint("thing/shift").range == pytest.approx([0, 0.04])
    assert large.joint("thing/turn_lid").range == pytest.approx([0, np.pi / 2])
    weighed = model.body("thing").subtreemass
    assert large.body("thing").subtreemass == pytest.approx(8 * weighed)


TIED = """
<mujoco>
  <asset>
    <hfield name="hill" nrow="2" ncol="2" size="0.1 0.1 0.05 0.01" elevation="0 1 1 0"/>
  </asset>
  <worldbody>
    <body name="field"><geom type="hfield" hfield="hill"/></body>
    <body name="press">
      <joint name="press" type="slide" axis="0 0 1" range="0 0.1"/>
      <geom size="0.02"/>
      <body name="wheel" pos="0.1 0 0"><joint name="wheel"/><geom size="0.02"/></body>
      <body name="rod" pos="0 0.1 0"><joint/><geom size="0.02"/></body>
    </body>
  </worldbody>
  <equality>
    <joint joint1="press" joint2="wheel" polycoef="0 0.04 0.02 0 0"/>
    <joint joint1="wheel" joint2="press" polycoef="0 10 20 0 0"/>
    <connect body1="wheel" body2="rod" anchor="0.02 0 0"/>
  </equality>
</mujoco>
"""


def test_what_ties_parts_grows_with_them(tmp_path: Path) -> None:
    path = tmp_path / "tied.xml"
    path.write_text(TIED)
    small, _ = place(Mjcf(path, body="press"))
    large, _ = place(Mjcf(path, body="press", scale=2.0))
    before, after = small.eq_data, large.eq_data
    assert after[0, :3] == pytest.approx(before[0, :3] * 2)
    assert after[1, :3] == pytest.approx(before[1, :3] / [1, 2, 4])
    assert after[2, :6] == pytest.approx(before[2, :6] * 2)


def test_a_height_field_stands_on_the_table_in_any_size(tmp_path: Path) -> None:
    path = tmp_path / "tied.xml"
    path.write_text(TIED)
    for scale in (1.0, 0.5):
        model, data = place(Mjcf(path, body="field", fixed=True, scale=scale))
        assert data.body("thing").xpos[2] == pytest.approx(0.01 * scale)
        sizes = np.array([0.1, 0.1, 0.05, 0.01]) * scale
        assert model.hfield_size[0] == pytest.approx(sizes)


def test_soft_parts_and_shells_grow_with_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "soft.xml"
    path.write_text(
        """
        <mujoco><asset><mesh name="m" inertia="shell" scale=".02 .02 .02"
          vertex="-1 -1 -1 1 -1 -1 1 1 -1 -1 1 -1 -1 -1 1 1 -1 1 1 1 1 -1 1 1"/></asset>
        <worldbody><body name="a"><freejoint/><geom type="mesh" mesh="m"/>
          <flexcomp name="f" type="grid" count="3 3 3" spacing=".05 .05 .05" dim="3"
            radius=".002" rigid="true"/></body></worldbody></mujoco>
        """
    )
    small, large = (place(Mjcf(path, scale=scale)) for scale in (1.0, 2.0))
    for what in ("flex_radius", "flex_size"):
        assert getattr(large[0], what) == pytest.approx(2 * getattr(small[0], what))
    assert np.ptp(large[1].flexvert_xpos[:, 2]) == pytest.approx(0.2)
    assert large[0].body_mass[1] == pytest.approx(8 * small[0].body_mass[1])
    for model, data in (small, large):
        lowest = data.flexvert_xpos[:, 2].min() - model.flex_radius[0]
        assert lowest == pytest.approx(0)


ROPES = """
<mujoco>
  <worldbody>
    <body name="press">
      <joint name="press" type="slide" axis="0 0 1" range="0 .1" margin=".01"/>
      <geom size=".02"/>
      <site name="top" pos="0 0 .1"/>
      <body name="wheel" pos=".1 0 0">
        <joint name="wheel"/><geom size=".02"/><site name="rim"/>
      </body>
    </body>
  </worldbody>
  <tendon>
    <fixed name="up" range="0 .05" margin=".01"><joint joint="press" coef="1"/></fixed>
    <fixed name="turn" range="0 .05"><joint joint="wheel" coef="1"/></fixed>
    <spatial name="rope" stiffness="5"><site site="top"/><site site="rim"/>
      <pulley divisor="2"/><site site="top"/><site site="rim"/></spatial>
  </tendon>
  <equality><tendon tendon1="up" tendon2="rope" polycoef="0 1 2 0 0"/>
    <tendon tendon1="turn" polycoef=".1 0 0 0 0"/></equality>
</mujoco>
"""


def test_tendons_of_lengths_grow_and_those_of_angles_stay(tmp_path: Path) -> None:
    path = tmp_path / "ropes.xml"
    path.write_text(ROPES)
    whole, half = (place(Mjcf(path, scale=scale))[0] for scale in (1.0, 0.5))
    assert half.tendon_range[:2, 1] == pytest.approx([0.025, 0.05])
    assert half.tendon_margin[0] == half.jnt_margin[0] == pytest.approx(0.005)
    assert half.tendon_length0 == pytest.approx(whole.tendon_length0 / 2)
    # A spring that is as long as the rope when it lies still is so in any size.
    assert half.tendon_lengthspring == pytest.approx(whole.tendon_lengthspring / 2)
    assert whole.eq_data[:, :3].tolist() == [[0, 1, 2], [0.1, 0, 0]]
    assert half.eq_data[:, :3].tolist() == [[0, 1, 4], [0.1, 0, 0]]


def test_a_tendon_that_adds_angles_to_lengths_has_one_size(tmp_path: Path) -> None:
    path = tmp_path / "ropes.xml"
    both = '<joint joint="press" coef="1"/><joint joint="wheel" coef="1"/>'
    path.write_text(ROPES.replace('<joint joint="press" coef="1"/>', both))
    assert place(path)[0].ntendon == 3
    said = r"ropes\.xml, tendon 'up' adds angles to lengths: scale has to be 1"
    with pytest.raises(ValueError, match=said):
        place(Mjcf(path, scale=0.5))


def test_the_least_mass_of_a_body_grows_with_it(tmp_path: Path) -> None:
    path = tmp_path / "light.xml"
    path.write_text(
        """
        <mujoco><compiler boundmass=".4" boundinertia=".01"/><worldbody>
          <body name="a"><freejoint/><geom size=".02"/></body></worldbody></mujoco>
        """
    )
    half, _ = place(Mjcf(path, scale=0.5))
    assert half.body_mass[1] == pytest.approx(0.4 / 8)
    assert half.body_inertia[1] == pytest.approx(0.01 / 32)
