"""Frames into mp4 files, by the ffmpeg that imageio brings."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from envs.scene import IMAGE_SIZE
from envs.video.motion import FPS

# Pixels differ by about 2 of 255 on average, at 8 KB a frame. Training reads frames in
# any order, so every second one can be decoded without those before it.
QUALITY = ("-crf", "12", "-preset", "veryfast", "-g", "2", "-bf", "0")
COLOURS = ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709")


class VideoWriter:
    """An H.264 file that grows by frames; a context manager.

    Args:
        path: An mp4 file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        size = f"{IMAGE_SIZE}x{IMAGE_SIZE}"
        source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(FPS))
        self._process = subprocess.Popen(
            [
                *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"),
                *(*source, "-i", "-", "-an"),
                *("-c:v", "libx264", *QUALITY, *COLOURS, "-pix_fmt", "yuv420p"),
                *("-movflags", "+faststart", str(path)),
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def write(self, images: NDArray[np.uint8]) -> None:
        """Adds [N, H, W, 3] frames."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(images).data)
        except BrokenPipeError:
            self.close()

    def close(self) -> None:
        """Ends the file.

        Raises:
            OSError: It could not be written.
        """
        _, said = self._process.communicate()
        if self._process.returncode:
            raise OSError(f"ffmpeg: {said.decode(errors='replace').strip()}")

    def __enter__(self) -> VideoWriter:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the file, or, after an error, the process."""
        if error is None:
            self.close()
        else:
            self._process.kill()
            self._process.communicate()
