"""The JSON interface, as another program uses and misuses it."""

import base64
import io
import json
import random
from dataclasses import replace
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import envs
from policy.playground.engine import Engine
from policy.playground.guard import MAX_BODY
from policy.playground.policies import Policies
from policy.playground.serving import build_app
from policy.playground.wire import MAX_TEXT
from rewards import TERMS

SCENE = {"env": "pick_mug", "split": "test", "seed": 3}
ENDPOINTS = ("/api/scene", "/api/execute", "/api/answer", "/api/film/x.mp4")


def ask(client: TestClient, path: str, **question: Any) -> Any:
    answered = client.post(f"/api/{path}", json={**SCENE, **question})
    assert answered.status_code == 200, answered.text
    return answered.json()


@pytest.fixture(scope="module")
def expert(client: TestClient) -> dict[str, Any]:
    return ask(client, "answer", policy="expert")


def test_a_scene_is_the_one_that_python_makes(client: TestClient) -> None:
    said = client.get("/api/scene", params=SCENE).json()
    scene = envs.make_scene("pick_mug", split="test", seed=3)
    kind, _, data = said["image"].partition(",")
    image = np.array(Image.open(io.BytesIO(base64.b64decode(data))))
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(image, scene.observation.image)
    assert said["instruction"] == scene.instruction
    assert (said["height"], said["width"]) == image.shape[:2]


def test_the_experts_answer_succeeds_and_can_be_watched(
    client: TestClient, expert: dict[str, Any]
) -> None:
    done = ask(client, "execute", text=expert["text"])
    assert done["success"] and done["reason"] == "" and done["parse_failure"] is None
    assert set(done["terms"]) == set(TERMS) and done["reward"] > 0.9
    assert done["lifted"][0] == pytest.approx(expert["waypoints"][0], abs=0.05)
    film = client.get(done["film"])
    assert film.headers["content-type"] == "video/mp4"
    pictures = imageio.imread(film.content, extension=".mp4")
    assert len(pictures) > 10 and pictures.shape[1:] == (448, 448, 3)
    assert np.abs(pictures[0].astype(int) - pictures[-1]).max() > 50  # it moves
    part = client.get(done["film"], headers={"range": "bytes=4-11"})
    assert part.status_code == 206 and part.content == film.content[4:12]


def test_a_text_that_is_no_answer_is_executed_as_one(client: TestClient) -> None:
    done = ask(client, "execute", text="I'd rather not.</script>")
    assert not done["success"] and done["film"] is None and not done["lifted"]
    assert done["reason"] == done["parse_failure"] == "no_answer"


def test_the_words_decide_what_is_judged(
    client: TestClient, expert: dict[str, Any]
) -> None:
    scene = envs.make_scene("pick_mug", split="test", seed=3)
    words = scene.others[0].instruction
    other = ask(client, "answer", policy="expert", instruction=words)
    assert other["box"] != expert["box"]
    right = ask(client, "execute", text=other["text"], instruction=words)
    wrong = ask(client, "execute", text=expert["text"], instruction=words)
    assert right["success"] and not wrong["success"]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ({"env": "pick_cup"}, "unknown env 'pick_cup'; valid: close_drawer"),
        ({"env": "../../etc/passwd"}, "unknown env"),
        ({"split": "dev"}, "unknown split 'dev'; valid: train, test, ood"),
        ({"seed": -1}, "seed is -1: input should be greater"),
        ({"seed": 2**60}, "seed is 1152921504606846976"),
        ({"seed": "many"}, "seed is 'many'"),
        ({"shifts": ["taste"]}, "unknown shift 'taste'; valid: shape"),
        ({"robot": "r2d2"}, "unknown robot 'r2d2'; valid: panda, ur5e"),
        ({"fovy": 400}, "camera.fovy is 400.0; valid: a number"),
        ({"azimuth": "NaN"}, "azimuth"),
        ({"colour": "red"}, "colour: extra inputs"),
        ({"text": "a" * (MAX_TEXT + 1)}, "text is 'aaa"),
        ({"text": None}, "text is None"),
        ({"instruction": 7}, "instruction is 7"),
        ({"policy": "expert"}, "policy: extra inputs"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(
    client: TestClient, question: dict[str, Any], named: str
) -> None:
    answered = client.post("/api/execute", json={**SCENE, "text": "", **question})
    assert 400 <= answered.status_code < 500
    assert list(answered.json()) == ["error"] and named in answered.json()["error"]


def test_a_policy_that_is_not_loaded_is_no_path(client: TestClient) -> None:
    answered = client.post("/api/answer", json={**SCENE, "policy": "assets/tiny"})
    assert answered.status_code == 422
    assert "valid: expert, null, random, wrong_target" in answered.json()["error"]


FAILURES = (
    ImportError("No module named 'kernels'"),
    MemoryError(),
    FileNotFoundError("weights (*.safetensors) missing"),
    RuntimeError("CUDA out of memory.\nTried to allocate 9 GiB"),
)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_policy_that_fails_is_one_sentence(engine: Engine, error: Exception) -> None:
    def fail(*_: object) -> Any:
        raise error

    with Policies({"absent": fail, "tired": lambda: fail}, {}) as policies:
        client = TestClient(
            build_app(replace(engine, policies=policies)),
            base_url="http://127.0.0.1",
            raise_server_exceptions=False,
        )
        for name, verb in (("absent", "be loaded"), ("tired", "answer")):
            answered = client.post("/api/answer", json={**SCENE, "policy": name})
            said = answered.json()["error"]
            assert answered.status_code == 422 and "\n" not in said
            assert said.startswith(f"policy '{name}' cannot {verb}: ")
            assert type(error).__name__ in said


def test_a_camera_that_sees_nothing_is_said(client: TestClient) -> None:
    far = {**SCENE, "env": "press_button", "azimuth": 180, "elevation": 10}
    answered = client.get("/api/scene", params={**far, "distance": 3.0})
    assert answered.status_code == 422
    assert "no usable sample" in answered.json()["error"]


def test_what_is_nowhere_is_said_so(client: TestClient) -> None:
    for path in ("/api/film/../../conf.mp4", "/api/film/x.mp4", "/api", "/api/x/y"):
        answered = client.get(path)
        assert answered.status_code == 404
    assert client.get("/api/execute").json()["error"].startswith("nothing is here")


def test_what_is_too_long_is_not_read(client: TestClient) -> None:
    def drip() -> Any:
        for _ in range(100):
            yield b"[" * 1024

    for content in (b" " * (MAX_BODY + 1), drip()):
        answered = client.post("/api/execute", content=content)
        assert answered.status_code == 413
        assert str(MAX_BODY) in answered.json()["error"]


def make_junk(rng: random.Random) -> dict[str, Any]:
    """A request that means nothing, or nearly something."""
    values = [None, -1, 1e308, "x" * 300, "\u202e'\";--", [], {}, "pick_mug", "test"]
    names = ["env", "split", "seed", "text", "policy", "instruction", "shifts", "fovy"]
    content = {n: rng.choice(values) for n in rng.sample(names, rng.randrange(1, 8))}
    text = json.dumps(content).encode()
    kind = rng.randrange(5)
    if kind == 0:
        return {"content": rng.randbytes(rng.randrange(300))}
    if kind == 1:
        return {"content": text[: rng.randrange(len(text))]}
    if kind == 2:
        return {"content": b"[" * 20_000}
    if kind == 3:
        return {"params": {name: str(value) for name, value in content.items()}}
    return {"json": content}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_junk_is_refused_and_the_next_request_is_answered(
    client: TestClient, path: str
) -> None:
    rng = random.Random(path)
    for _ in range(200):
        method = rng.choice(["GET", "POST", "PUT", "DELETE"])
        headers = rng.choice([{}, {"range": "bytes=9-"}, {"content-type": "a/b"}])
        answered = client.request(method, path, headers=headers, **make_junk(rng))
        refused = 400 <= answered.status_code < 500
        assert refused or answered.json()["env"] == "pick_mug", answered.text
    assert client.get("/api/scene", params=SCENE).status_code == 200
