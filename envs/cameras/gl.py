"""Choice of the OpenGL backend, and one clear message where there is none.

MuJoCo reads MUJOCO_GL when it is imported and fails there with an obscure error if the
backend's library is missing; so the choice is made before, by looking for libraries.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from typing import Any

# What each backend loads: one library of every group must be there.
LIBRARIES = {
    "egl": (("libEGL.so.1",), ("libGL.so.1", "libOpenGL.so.0")),
    "osmesa": (("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"),),
}
DEBIAN_PACKAGES = "libegl1 libgl1 libgl1-mesa-dri"
FEDORA_PACKAGES = "mesa-libEGL mesa-libGL mesa-dri-drivers"
READ_ONCE = ("mujoco.rendering.classic.gl_context", "mujoco.gl_context")  # MUJOCO_GL
OFF = "off"  # MuJoCo's word for no rendering: simulation works, images do not
_drawer: int | None = None  # the process that opened the first context


class NoGL(RuntimeError):
    """No OpenGL context can be had on this machine."""


def ensure_gl() -> None:
    """Sets MUJOCO_GL, unless the user has: EGL, else OSMesa, else no rendering.

    Only Linux needs a choice.

    Raises:
        NoGL: If the user chose a backend whose library is missing.
    """
    if sys.platform != "linux":
        return
    chosen = os.environ.get("MUJOCO_GL", "").lower().strip()
    if not chosen:
        usable = [backend for backend in LIBRARIES if not find_missing(backend)]
        os.environ["MUJOCO_GL"] = usable[0] if usable else OFF
        for name in READ_ONCE:
            if name in sys.modules:  # mujoco was imported first, and chose a window
                importlib.reload(sys.modules[name])
    elif missing := find_missing(chosen):
        raise _explain(f"{missing} not found")


def find_missing(backend: str) -> str:
    """Returns what a backend lacks, "" if it lacks nothing."""
    groups = LIBRARIES.get(backend, ())
    missing = [group[0] for group in groups if not any(map(can_load, group))]
    if backend == "egl" and not missing and not _count_egl_devices():
        missing = ["a driver for libEGL"]
    return ", ".join(missing)


def open_context(width: int, height: int) -> Any:
    """Makes an off-screen GL context and makes it current in this thread.

    Args:
        width: Largest image width in pixels.
        height: Largest image height in pixels.

    Raises:
        NoGL: If there is none to be had; names the packages to install.
    """
    global _drawer
    if os.environ.get("MUJOCO_GL") == OFF:
        raise _explain("neither a working EGL nor OSMesa was found")
    check_process()
    _drawer = os.getpid()
    from mujoco.gl_context import GLContext
    from OpenGL.error import Error

    try:
        context = GLContext(width, height)
        context.make_current()
    except (Error, ImportError, AttributeError, RuntimeError, OSError) as error:
        raise _explain(error) from error
    return context


def check_process() -> None:
    """Refuses to draw in a copy of a process that has drawn; it would wait for ever.

    A fork copies OpenGL's state, but not the threads that it relies on.

    Raises:
        NoGL: This process was forked from one that had opened a context.
    """
    if _drawer not in (None, os.getpid()):
        raise NoGL(
            "this process was forked from one that had drawn images, and so has no "
            "OpenGL of its own; start it anew: multiprocessing.get_context('spawn'), "
            "envs.make_vec(...), or gymnasium.make_vec(..., vectorization_mode='async',"
            " vector_kwargs={'context': 'spawn'})"
        )


def name_renderer() -> str:
    """Returns what draws, as OpenGL names it; llvmpipe means the CPU.

    Raises:
        NoGL: If there is no context to be had.
    """
    context = open_context(64, 64)
    from OpenGL import GL

    name = GL.glGetString(GL.GL_RENDERER).decode()
    context.free()
    return name


def can_load(library: str) -> bool:
    """Whether a shared library is on this machine."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _count_egl_devices() -> int:
    """Asks EGL; needs no context. libEGL is only a front, drivers are apart."""
    find = ctypes.CDLL("libEGL.so.1").eglGetProcAddress
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    address, count = find(b"eglQueryDevicesEXT"), ctypes.c_int32(0)
    if address:
        prototype = (ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32))
        query = ctypes.CFUNCTYPE(ctypes.c_uint, *prototype)(address)
        query(0, None, ctypes.byref(count))
    return count.value


def _explain(cause: object) -> NoGL:
    return NoGL(
        f"no OpenGL context for images (MUJOCO_GL={os.environ.get('MUJOCO_GL')}): "
        f"{str(cause).rstrip('.')}. Install on Debian or Ubuntu: "
        f"apt-get install {DEBIAN_PACKAGES}; "
        f"on Fedora: dnf install {FEDORA_PACKAGES}"
    )
