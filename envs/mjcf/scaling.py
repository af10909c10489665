"""An object as large as the scene needs it, with the masses of that size."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from envs.mjcf.reading import Mjcf

SLIDE = mujoco.mjtJoint.mjJNT_SLIDE
SHELL = mujoco.mjtGeomInertia.mjINERTIA_SHELL
SHELL_MESH = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
JOINT, TENDON = mujoco.mjtEq.mjEQ_JOINT, mujoco.mjtEq.mjEQ_TENDON
ANCHORED = (mujoco.mjtEq.mjEQ_CONNECT, mujoco.mjtEq.mjEQ_WELD)
JOINT_WRAP = mujoco.mjtWrap.mjWRAP_JOINT  # of a tendon that is a sum of joints
AS_IT_LIES = -1  # a tendon's springlength, both ends, that MuJoCo measures


def scale(file: mujoco.MjSpec, source: Mjcf) -> None:
    """Makes all that is in an object's file as large as is asked for.

    Lengths grow as the factor, masses as its cube. What joints resist with stays.

    Raises:
        ValueError: A tendon adds angles to lengths; names file and tendon.
    """
    times = source.scale
    if times == 1:
        return
    _check_tendons(file, source)
    shells = {m.name for m in file.meshes if m.inertia == SHELL_MESH}
    for mesh in file.meshes:
        mesh.scale = np.array(mesh.scale) * times
    for field in file.hfields:
        field.size = field.size * times
    _scale_soft(file, times)
    _scale_ties(file, times)
    for part in file.bodies[1:]:
        _scale_body(part, times)
    for thing in [*file.geoms, *file.sites]:
        thing.pos, thing.size = thing.pos * times, thing.size * times
        thing.fromto = thing.fromto * times
    for geom in file.geoms:
        geom.mass, geom.margin = geom.mass * times**3, geom.margin * times
        geom.gap = geom.gap * times
        if geom.typeinertia == SHELL or geom.meshname in shells:
            geom.density = geom.density * times  # of a surface: it weighs by area
    file.compiler.boundmass *= times**3
    file.compiler.boundinertia *= times**5
    for joint in file.joints:
        joint.pos = joint.pos * times
        if joint.type == SLIDE:
            joint.range, joint.margin = joint.range * times, joint.margin * times
            joint.springref, joint.ref = joint.springref * times, joint.ref * times


def _scale_soft(file: mujoco.MjSpec, times: float) -> None:
    """Flexes and skins, which have points of their own."""
    for flex in file.flexes:
        flex.vert, flex.node = np.array(flex.vert) * times, np.array(flex.node) * times
        flex.radius, flex.thickness = flex.radius * times, flex.thickness * times
        flex.size = flex.size * times
        flex.margin, flex.gap = flex.margin * times, flex.gap * times
    for skin in file.skins:
        skin.vert = np.array(skin.vert) * times
        skin.bindpos = np.array(skin.bindpos) * times
        skin.inflate = skin.inflate * times


def _scale_ties(file: mujoco.MjSpec, times: float) -> None:
    """Where bodies are tied to each other, by how much joints follow and ropes give."""
    ropes = [tendon for tendon in file.tendons if False not in _list_slides(tendon)]
    lengths = {
        JOINT: {joint.name for joint in file.joints if joint.type == SLIDE},
        TENDON: {tendon.name for tendon in ropes},
    }
    for tie in file.equalities:
        data = tie.data.copy()
        if tie.type in ANCHORED:
            data[:6] *= times  # the anchor and, of a weld, where the other body is
        elif tie.type in lengths:
            scaled = lengths[tie.type]
            data[:5] *= times if tie.name1 in scaled else 1
            data[:5] /= times ** np.arange(5) if tie.name2 in scaled else 1
        tie.data = data
    for tendon in ropes:
        tendon.range, tendon.width = tendon.range * times, tendon.width * times
        tendon.margin = tendon.margin * times
        if (tendon.springlength != AS_IT_LIES).any():
            tendon.springlength = tendon.springlength * times


def _check_tendons(file: mujoco.MjSpec, source: Mjcf) -> None:
    for tendon in file.tendons:
        if len(_list_slides(tendon)) > 1:
            raise ValueError(
                f"{source.path}, tendon {tendon.name!r} adds angles to lengths: scale "
                f"has to be 1, not {source.scale}"
            )


def _list_slides(tendon: Any) -> set[bool]:
    """Whether the joints that a tendon adds slide: none of a rope through space."""
    joints = (wrap.target for wrap in tendon.path if wrap.type == JOINT_WRAP)
    return {joint.type == SLIDE for joint in joints}


def _scale_body(body: Any, times: float) -> None:
    body.pos, body.ipos = body.pos * times, body.ipos * times
    body.mass *= times**3
    body.inertia = body.inertia * times**5
    body.fullinertia = body.fullinertia * times**5
    for frame in body.frames:
        frame.pos = frame.pos * times
