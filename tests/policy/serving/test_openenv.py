"""OpenEnv's own client plays episodes over the wire, as they are played at home."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import gymnasium
import httpx
import numpy as np
import pytest
import uvicorn
from commands import call
from PIL import Image

import envs
from envs.registry import name_env

openenv = pytest.importorskip("openenv", reason="no openenv: 'graspo[serve]' brings it")
ENV, OTHERS = "press_button", 3


def make_local(**options: Any) -> gymnasium.Env:
    name = name_env(ENV)
    return gymnasium.make(name, disable_env_checker=True, split="test", **options)


@contextmanager
def serve(**limits: Any) -> Iterator[str]:
    """A server's address."""
    from policy.playground.door import listen
    from policy.serving.openenv.server import Limits, build_app

    app = build_app(partial(make_local, max_turns=2), ENV, Limits(**limits))
    opened = listen(0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with serve(sessions=OTHERS) as address:
        yield address


def connect(address: str) -> Any:
    from openenv.core import GenericEnvClient

    return GenericEnvClient(base_url=address).sync()


def play(served: str, seed: int, text: str) -> tuple[Any, ...]:
    with connect(served) as client:
        seen = client.reset(seed=seed).observation
        done = client.step({"text": text})
    return seen["image"], seen["instruction"], done.reward, done.observation["reason"]


def play_at_home(env: gymnasium.Env, seed: int, text: str) -> tuple[Any, ...]:
    seen, _ = env.reset(seed=seed)
    _, reward, _, _, info = env.step(text)
    return seen["image"], seen["instruction"], reward, info["failure_reason"]


def answer(env: Any, seed: int) -> str:
    """The expert's answer to even seeds, to odd ones that of the seed before."""
    env.reset(seed=seed - seed % 2)
    return envs.format_answer(env.unwrapped.scene.reference.to_plan())


def test_episodes_at_once_end_as_at_home(served) -> None:
    home = make_local()
    texts = [answer(home, seed) for seed in range(6)]
    expected = [play_at_home(home, seed, text) for seed, text in enumerate(texts)]
    assert {row[2] for row in expected} == {0.0, 1.0}
    with ThreadPoolExecutor(OTHERS) as pool:
        found = pool.map(partial(play, served), range(6), texts)
    for over_wire, at_home in zip(found, expected, strict=True):
        image = Image.open(io.BytesIO(base64.b64decode(over_wire[0])))
        assert (np.asarray(image) == at_home[0]).all()
        assert over_wire[1:] == at_home[1:]


def test_a_turn_follows_a_failure_and_the_state_tells(served) -> None:
    with connect(served) as client:
        first = client.reset(seed=3, episode_id="mine")
        assert first.observation["instruction"] in first.observation["prompt"]
        assert not client.step({"text": "I would rather not."}).done
        state = client.state()
        assert (state["episode_id"], state["step_count"]) == ("mine", 1)
        assert state["scene"]["split"] == "test" and not state["done"]
        last = client.step({"text": "nor now"})
        assert last.done and last.observation["reason"] == "no_answer"
        with pytest.raises(Exception, match="the episode is over"):
            client.step({"text": "and now?"})
        assert not client.reset(seed=3).done


@pytest.mark.parametrize("seed", [-1, "3", True, 0.5, [1]])
def test_a_seed_that_is_none_is_one_sentence(served, seed) -> None:
    with connect(served) as client, pytest.raises(Exception, match="a whole number"):
        client.reset(seed=seed)


def test_a_step_before_a_reset_is_one_sentence(served) -> None:
    with connect(served) as client, pytest.raises(Exception, match="reset first"):
        client.step({"text": "too early"})


def test_a_step_by_http_alone_is_told_of_the_web_socket(served) -> None:
    for _ in range(2):  # a request of before is of another session
        assert httpx.post(f"{served}/reset", json={"seed": 0}).status_code == 200
        said = httpx.post(f"{served}/step", json={"action": {"text": "now"}})
        assert said.status_code == 400
        assert "web socket (/ws), and each HTTP request" in said.json()["error"]


def test_an_answer_that_is_too_long_is_refused(served) -> None:
    with connect(served) as client:
        client.reset(seed=0)
        with pytest.raises(Exception, match="Invalid message"):
            client.step({"text": "a" * 70_000})


def test_no_more_play_at_once_than_may(served) -> None:
    clients = [connect(served) for _ in range(OTHERS)]
    for client in clients:
        client.connect()
        client.reset(seed=0)
    with pytest.raises(Exception, match="(?i)capacity|session"), connect(served) as one:
        one.reset(seed=0)
    busy = httpx.post(f"{served}/reset", json={"seed": 0})
    assert busy.status_code == 503 and "3 episodes" in busy.json()["error"]
    for client in clients:
        client.close()
    deadline = time.monotonic() + 20
    while httpx.post(f"{served}/reset", json={"seed": 0}).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_what_is_not_addressed_to_this_machine_is_refused(served) -> None:
    for headers in ({"host": "example.org"}, {"origin": "https://example.org"}):
        assert httpx.get(f"{served}/health", headers=headers).status_code == 403


def test_a_body_is_bounded_where_all_are_served_as_well(served) -> None:
    from policy.playground.guard import MAX_BODY

    with serve(host="0.0.0.0") as public:
        for address in (served, public):
            answered = httpx.post(f"{address}/reset", content=b" " * (MAX_BODY + 1))
            assert answered.status_code == 413
        anybody = httpx.get(f"{public}/health", headers={"host": "example.org"})
        assert anybody.status_code == 200


def test_it_passes_openenv_validate(served) -> None:
    from openenv.cli._validation import validate_running_environment

    report = validate_running_environment(served)
    failed = [one for one in report["criteria"] if not one["passed"]]
    assert report["passed"] and not failed, failed


def test_a_session_that_was_closed_says_so() -> None:
    from policy.serving.openenv.environment import SceneEnvironment
    from policy.serving.openenv.simulators import BusyError, Simulators

    simulators = Simulators(1)
    one, two = (SceneEnvironment(make_local, ENV, simulators) for _ in range(2))
    one.reset(seed=0)
    with pytest.raises(BusyError, match="1 episodes"):
        two.reset(seed=0)
    one.close()
    assert two.reset(seed=0).instruction
    with pytest.raises(ValueError, match="idle for too long"):
        one.reset(seed=0)
    two.close()


def test_an_idle_session_ends_and_lets_others_in() -> None:
    with serve(sessions=1, idle_s=1) as address, connect(address) as idle:
        idle.reset(seed=0)
        time.sleep(11)  # OpenEnv looks every five seconds
        with connect(address) as other:
            assert other.reset(seed=0).observation["instruction"]
        with pytest.raises(Exception, match="reset first|idle for too long"):
            idle.step({"text": "at last"})
        with pytest.raises(Exception, match="idle for too long"):
            idle.reset(seed=1)


@pytest.mark.parametrize(
    ("word", "culprit"),
    [
        ("sessions=0", "sessions is 0"),
        ("port=70000", "port is 70000"),
        ("max_turns=0", "max_turns is 0"),
    ],
)
def test_what_cannot_be_served_is_refused(word, culprit) -> None:
    assert culprit in call("serve", f"env={ENV}", word)
