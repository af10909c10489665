"""Films show the question, the motion without jumps, and the verdict."""

from dataclasses import replace
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest

import envs
from envs.execution.execute import run
from envs.execution.physics import Playback
from envs.records import Completion, Outcome, ParseFailure, Plan, Reward
from envs.rollout import Rollout
from envs.video import film as video
from envs.video import sheet
from envs.video.clip import SIZE, film_clip, write_clip
from envs.video.drawing import contact_sheet, draw_plan, load_font, wrap_text


@pytest.fixture(scope="module")
def scene():
    """A scene of the test split."""
    return envs.make_scene("pick_mug", split="test", seed=1)


@pytest.fixture(scope="module")
def plan(scene):
    """Its expert's plan."""
    return Plan(box=scene.reference.box, waypoints=scene.reference.waypoints)


def test_the_arm_moves_from_home_to_the_grasp_and_on_without_a_jump(scene, plan):
    _, playback = run(scene, plan, keep_frames=True)
    path = np.array(list(video.sample_motion(scene.state, playback.frames)))
    assert np.array_equal(path[0], scene.data.qpos)
    assert np.array_equal(path[-1], playback.frames[-1])
    speed = np.abs(np.diff(path[:, :7], axis=0)).max(axis=1) * video.FPS
    assert speed.max() < 2.5  # rad/s; the real arm's fastest joint moves at 2.6


def test_a_film_ends_with_its_verdict_in_green_or_red(scene, plan):
    said = Completion(text=envs.format_answer(plan))
    frames = list(video.film(Rollout(scene=scene, completion=said, answer=plan)))
    assert {frame.shape for frame in frames} == {(592, 640, 3)}
    assert not np.array_equal(frames[40], frames[60])
    assert shows(frames[-1], video.GREEN) and not shows(frames[-1], video.RED)
    assert not shows(frames[0], video.GREEN) and not shows(frames[0], video.RED)


def test_an_answer_that_is_no_plan_still_makes_a_film(scene):
    text = "no plan \ud800\n" * 10_000
    rollout = Rollout(
        scene=scene,
        completion=Completion(text=text),
        answer=ParseFailure(reason="no_answer"),
        outcome=Outcome(success=False, reason="no_answer"),
        reward=Reward(terms={"format": 0.0, "success": 0.0}, total=0.0),
    )
    frames = list(video.film(rollout))
    assert len(frames) == 2 * round(video.HOLD_S * video.FPS)
    assert shows(frames[-1], video.RED)


def test_several_rollouts_become_one_file_that_plays(scene, tmp_path):
    path = tmp_path / "videos" / "it.mp4"
    empty = ParseFailure(reason="empty")
    rollout = Rollout(scene=scene, completion=Completion(text=""), answer=empty)
    video.write_rollout_videos([rollout] * 2, path)
    reader = imageio.get_reader(path)
    about = reader.get_meta_data()
    assert about["codec"] == "h264" and about["fps"] == video.FPS
    assert about["size"] == (640, 592)
    assert reader.count_frames() == 4 * round(video.HOLD_S * video.FPS)
    reader.close()


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
def test_a_film_that_is_not_finished_is_not_there(ending, tmp_path):
    def fail_later():
        yield np.zeros((64, 64, 3), np.uint8)
        yield np.ones((64, 64, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video.write_video(tmp_path / f"film.{ending}", fail_later())
    assert not list(tmp_path.iterdir())


def test_no_rollouts_make_no_file(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        video.write_rollout_videos([], tmp_path / "it.mp4")
    assert not list(tmp_path.iterdir())


def test_of_physics_that_diverged_a_sheet_shows_the_start(scene, plan, monkeypatch):
    def diverge(*_: object) -> tuple[Outcome, Playback]:
        _, playback = run(scene, plan, keep_frames=True)
        nothing = np.zeros_like(playback.frames)
        lost = replace(playback, after=None, frames=nothing)
        return Outcome(success=False, reason="diverged"), lost

    still = sheet._photograph(scene, None)
    monkeypatch.setattr(sheet, "replay", diverge)
    said = Completion(text="")
    tile = sheet.draw_tile(Rollout(scene=scene, completion=said, answer=plan))
    drawn = draw_plan(still, plan, scale=1)
    np.testing.assert_array_equal(tile[: sheet.SIDE], drawn)


def test_a_plan_is_drawn_where_it_points_and_the_image_stays(scene, plan):
    image = np.full((224, 224, 3), 128, np.uint8)
    drawn = draw_plan(image, plan, scene.reference, scale=2)
    assert drawn.shape == (448, 448, 3) and (image == 128).all()
    rows, columns = np.nonzero((drawn != 128).any(axis=2))
    points = np.array([plan.box[:2], plan.box[2:], *plan.waypoints]) * 448
    margin = 12  # pixels: line widths and the goal's disc
    assert np.all(np.abs([columns.min(), rows.min()] - points.min(axis=0)) < margin)
    assert np.all(np.abs([columns.max(), rows.max()] - points.max(axis=0)) < margin)


def test_a_failure_draws_nothing():
    image = np.full((20, 20, 3), 128, np.uint8)
    drawn = draw_plan(image, ParseFailure(reason="empty"), scale=1)
    assert np.array_equal(drawn, image)


@pytest.mark.parametrize("text", ["", "a b c", "W" * 5000, "word " * 5000, "\x00\n"])
def test_wrapped_text_fits_its_lines(text):
    lines = wrap_text(text, 14, 200, 3)
    assert len(lines) <= 3
    assert all(load_font(14).getlength(line) <= 200 for line in lines)
    assert lines[-1].endswith("...") if len(text) > 99 else "..." not in lines


def test_a_sheet_holds_all_images_in_rows():
    images = [np.full((10, 20, 3), shade, np.uint8) for shade in (10, 20, 30)]
    sheet = contact_sheet(images, columns=2, gap=2)
    assert sheet.shape == (26, 46, 3)
    assert (sheet[2:12, 24:44] == 20).all() and (sheet[14:24, 2:22] == 30).all()
    with pytest.raises(ValueError, match="one size"):
        contact_sheet([images[0], images[1][:5]], columns=2)


def shows(frame, colour):
    """Whether a colour of the verdict stands in the strip under the picture."""
    return (frame[video.VIEW :] == colour).all(axis=2).any()


def test_a_clip_shows_an_execution_and_of_what_did_not_move_there_is_none(
    tmp_path: Path,
) -> None:
    scene = envs.make_scene("pick_mug", seed=1)
    assert scene.reference is not None
    pictures = list(film_clip(scene, scene.reference.to_plan()))
    assert {picture.shape for picture in pictures} == {(SIZE, SIZE, 3)}
    assert (pictures[0] != pictures[-1]).any()
    assert (pictures[-1] == pictures[-2]).all()  # the end is held
    assert write_clip(tmp_path / "clip.mp4", pictures)
    assert len(imageio.mimread(tmp_path / "clip.mp4")) == len(pictures)
    assert not write_clip(
        tmp_path / "none.mp4", film_clip(scene, ParseFailure(reason=""))
    )
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
