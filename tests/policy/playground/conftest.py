"""An engine that works in the test's own process, without a browser or a model."""

from collections.abc import Iterator

import pytest

pytest.importorskip("nicegui", reason="no nicegui: pip install 'graspo[play]'")

from fastapi.testclient import TestClient

from policy.evaluation.baselines import BASELINES
from policy.playground.engine import Engine
from policy.playground.policies import Policies
from policy.playground.queue import WorkQueue
from policy.playground.serving import build_app
from policy.rollout.play import answer_scripted
from rewards import RewardMix

MIX = RewardMix(weights={"success": 1.0, "affordance": 0.5, "format": 0.5})


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    scripted = {name: answer_scripted(act) for name, act in BASELINES.items()}
    with WorkQueue(workers=0) as queue, Policies({}, scripted) as policies:
        yield Engine(queue=queue, policies=policies, mix=MIX)


@pytest.fixture(scope="session")
def client(engine: Engine) -> Iterator[TestClient]:
    with TestClient(build_app(engine), base_url="http://127.0.0.1:8080") as made:
        yield made
