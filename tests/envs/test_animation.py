import numpy as np
import pytest
from PIL import Image

from envs.video.film import write_video

GREEN = (20, 160, 60)


def draw(count):
    """Pictures in many greys, with a small green thing that moves and then rests."""
    frames = []
    for i in range(count):
        grey = np.linspace(0, 255, 320).astype(np.uint8)
        frame = np.broadcast_to(grey[None, :, None], (240, 320, 3)).copy()
        left = 4 * min(i, count // 2)
        frame[100:112, left : left + 12] = GREEN
        frames.append(frame)
    return frames


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_lasts_as_long_and_keeps_the_colour_of_a_small_thing(
    tmp_path, ending
):
    path = tmp_path / "films" / f"it.{ending}"
    write_video(path, draw(40))
    animation, total = Image.open(path), 0
    assert animation.info["loop"] == 0 and animation.n_frames < 20  # rest is one
    for i in range(animation.n_frames):
        animation.seek(i)
        animation.load()
        total += animation.info["duration"]
        pixels = np.asarray(animation.convert("RGB")).astype(int)
        assert (np.abs(pixels - GREEN).max(axis=2) < 40).any()
    assert total == 40 * 40  # ms
    assert path.stat().st_size < 40_000


def test_no_pictures_make_no_file(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        write_video(tmp_path / "it.gif", [])
