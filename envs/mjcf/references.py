"""What of an MJCF file belongs to one object: the rest stays behind.

Nothing of an object is driven or measured, so that actuators, sensors, cameras and
lights stay behind, too. What couples its own parts comes along.
"""

from __future__ import annotations

from typing import Any

import mujoco

SETTINGS = ("memory", "njmax", "nconmax", "nemax", "nstack", "nkey", "nuserdata")
JOINT, TENDON = mujoco.mjtEq.mjEQ_JOINT, mujoco.mjtEq.mjEQ_TENDON
PULLEY = mujoco.mjtWrap.mjWRAP_PULLEY  # of a tendon, tied to nothing
FLEXES = tuple(
    kind for name, kind in mujoco.mjtEq.__members__.items() if "FLEX" in name
)
BODY = mujoco.mjtObj.mjOBJ_BODY  # what an equality of others ties
BODY_NAMES = {
    "excludes": ("bodyname1", "bodyname2"),
    "equalities": ("name1", "name2"),
}
BODY_LISTS = {"flexes": ("vertbody", "nodebody"), "skins": ("bodyname",)}  # soft


def cut_out(file: mujoco.MjSpec, body: Any) -> None:
    """Leaves nothing but a body in a file, its origin at the world's."""
    _reset_settings(file)
    _delete(file, [*file.keys, *file.actuators, *file.sensors])
    body.pos = (0, 0, 0)
    inner = body
    while (outer := inner.parent) is not None:
        _delete(file, [sibling for sibling in outer.bodies if sibling != inner])
        _delete(file, [*outer.geoms, *outer.joints, *outer.sites])
        inner = outer
    _delete(file, [*file.cameras, *file.lights, *_list_soft_others(file, body)])
    _delete(file, [tie for tie in _list_ties(file) if not _is_within(tie, file, body)])
    _delete_unused(file)


def rename_body(spec: mujoco.MjSpec, old: str, new: str) -> None:
    """Lets what names a body name it anew."""
    for kind, fields in BODY_NAMES.items():
        for tie in getattr(spec, kind):
            for field in fields if getattr(tie, "objtype", BODY) == BODY else ():
                if getattr(tie, field) == old:
                    setattr(tie, field, new)
    for kind, fields in BODY_LISTS.items():
        for one in getattr(spec, kind):
            for field in fields:
                names = [new if name == old else name for name in getattr(one, field)]
                setattr(one, field, names)


def _reset_settings(file: mujoco.MjSpec) -> None:
    plain = mujoco.MjSpec()
    sizes = [name for name in dir(plain) if name.startswith("nuser_")]
    for name in ("option", *SETTINGS, *sizes):
        setattr(file, name, getattr(plain, name))


def _list_soft_others(file: mujoco.MjSpec, body: Any) -> list[Any]:
    """Flexes and skins that are not of the object's bodies alone."""
    bodies = _name_bodies(body)
    return [
        one
        for kind, fields in BODY_LISTS.items()
        for one in getattr(file, kind)
        if not all(bodies.issuperset(getattr(one, field)) for field in fields)
    ]


def _name_bodies(body: Any) -> set[str]:
    return {body.name, *(b.name for b in body.find_all(BODY))}


def _list_ties(file: mujoco.MjSpec) -> list[Any]:
    """What refers to bodies, joints or geoms by their names; tendons first."""
    return [*file.tendons, *file.equalities, *file.excludes, *file.pairs]


def _is_within(tie: Any, file: mujoco.MjSpec, body: Any) -> bool:
    """Whether both ends of a tie are parts of the object."""
    if isinstance(tie, mujoco.MjsTendon):
        return all(wrap.target or wrap.type == PULLEY for wrap in tie.path)
    if isinstance(tie, mujoco.MjsPair):
        return {tie.geomname1, tie.geomname2} <= {geom.name for geom in file.geoms}
    bodies = _name_bodies(body)
    if isinstance(tie, mujoco.MjsExclude):
        return {tie.bodyname1, tie.bodyname2} <= bodies
    if tie.type == JOINT:
        joints = {joint.name for joint in file.joints}
        return {tie.name1, tie.name2 or tie.name1} <= joints
    if tie.type == TENDON:
        tendons = {rope.name for rope in file.tendons if _is_within(rope, file, body)}
        return {tie.name1, tie.name2 or tie.name1} <= tendons
    if tie.type in FLEXES:
        return tie.name1 in {flex.name for flex in file.flexes}
    sites = {site.name for site in file.sites}
    return {tie.name1, tie.name2} <= bodies | sites


def _delete(file: mujoco.MjSpec, elements: list[Any]) -> None:
    for element in elements:
        file.delete(element)


def _delete_unused(file: mujoco.MjSpec) -> None:
    geoms = file.geoms
    shown = {geom.material for geom in geoms}
    _delete(file, _omit(file.meshes, {geom.meshname for geom in geoms}))
    _delete(file, _omit(file.hfields, {geom.hfieldname for geom in geoms}))
    _delete(file, _omit(file.materials, shown))
    textures = {name for material in file.materials for name in material.textures}
    _delete(file, _omit(file.textures, textures))


def _omit(assets: Any, used: set[str]) -> list[Any]:
    return [asset for asset in assets if asset.name not in used]
