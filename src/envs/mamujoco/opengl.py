"""What MuJoCo draws with. It takes OpenGL with a screen for granted, which a server has not."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library

from utils.errors import UserError

OFF_SCREEN = {"egl": "EGL", "osmesa": "OSMesa"}  # MUJOCO_GL -> its library, the quicker one first
INSTALL = "apt-get install libegl1 libgl1-mesa-dri (EGL), or libosmesa6 with MUJOCO_GL=osmesa"


def choose_opengl() -> None:
    """Set MUJOCO_GL where there is no screen and the user has not set it."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if os.environ.get("MUJOCO_GL") or screen or sys.platform != "linux":
        return
    found = next((name for name, library in OFF_SCREEN.items() if find_library(library)), None)
    if found is None:
        raise UserError(f"MuJoCo has no OpenGL to draw with. Type: {INSTALL}")
    os.environ["MUJOCO_GL"] = found


def cannot_draw(error: Exception) -> UserError:
    """Of whichever graphics library was taken."""
    taken = os.environ.get("MUJOCO_GL", "a screen")
    return UserError(
        f"MuJoCo cannot draw here with {taken} ({type(error).__name__}: {error}). Set MUJOCO_GL to "
        f"{' or '.join(OFF_SCREEN)}, which need no screen. To install them: {INSTALL}"
    )
