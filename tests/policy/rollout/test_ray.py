"""The same work on a Ray cluster of two nodes gives the same results, come what may."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import ROOT

import envs
from policy.rollout.crew import Crew, LostWork
from policy.rollout.ray_seat import Cluster
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.serving.case import Case, write_case
from policy.serving.pool import close_pools
from policy.serving.trl import SceneReward

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray", reason="no Ray: make test-ray installs it")
SEEDS = [[1, 2], [3, 4]]
SOURCE = SceneSource(names=("press_button",), split="test")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes of one core each; both are Ray's own, on this machine."""
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    small = {"num_cpus": 1, "object_store_memory": 150 << 20}
    made = Nodes(
        initialize_head=True,
        connect=True,
        head_node_args={**small, "include_dashboard": False},
    )
    made.second = made.add_node(**small)
    made.small = small
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def crew(nodes: Any) -> Iterator[Crew]:
    made = Crew(2, Cluster(limit_s=60.0).hire)
    yield made
    made.shutdown(cancel_futures=True)


def run(workers: Workers) -> list[str]:
    """Digests of images and outcomes of scenes, some plans of which fail."""
    with workers:
        batches = list(workers.make_scenes(SOURCE, SEEDS))
        scenes = [scene for batch in batches for scene in batch]
        plans = [scene.reference.to_plan() for scene in scenes]
        pairs = [(scene, [plans[0], plan]) for scene, plan in zip(scenes, plans)]
        outcomes = workers.simulate(pairs)
    assert not workers.aside
    images = b"".join(scene.observation.image.tobytes() for scene in scenes)
    return [hashlib.sha256(images).hexdigest(), repr(outcomes)]


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return run(Workers(0))


def test_two_nodes_give_what_this_process_gives(nodes: Any, expected: Any) -> None:
    cluster = Cluster()
    assert cluster.cores == 2
    assert run(Workers(None, cluster=cluster)) == expected
    assert ray.is_initialized()  # it was here before


def test_seats_are_spread_over_the_nodes(crew: Crew) -> None:
    futures = [crew.submit(_name_node, 1.0) for _ in range(4)]
    assert len({future.result() for future in futures}) == 2


def test_an_error_comes_back_with_the_lines_where_it_arose(crew: Crew) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        crew.submit(int, "x").result()
    assert "in attempt" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        crew.submit(exit, 3).result()


def test_work_of_an_actor_that_died_is_done_again(crew: Crew, tmp_path: Path) -> None:
    futures = [crew.submit(_die_once, tmp_path / str(n)) for n in range(3)]
    assert [future.result() for future in futures] == ["again"] * 3


def test_work_that_kills_every_actor_is_lost(crew: Crew) -> None:
    with pytest.raises(LostWork, match="its process ended"):
        crew.submit(os._exit, 1).result()
    assert crew.submit(int, "7").result() == 7


def test_work_that_hangs_once_is_done_again(nodes: Any, tmp_path: Path) -> None:
    crew = Crew(1, Cluster(limit_s=8.0).hire)
    assert crew.submit(_hang_once, tmp_path / "mark").result() == "again"
    crew.shutdown(cancel_futures=True)


def test_a_node_that_leaves_changes_no_result(nodes: Any, expected: Any) -> None:
    workers = Workers(None, cluster=Cluster())
    started = [workers.start(_name_node, 0.5) for _ in range(2)]
    assert len({future.result() for future in started}) == 2
    more = [workers.start(_echo, 0.5, n) for n in range(8)]
    time.sleep(1)
    nodes.remove_node(nodes.second, allow_graceful=False)
    assert [future.result() for future in more] == list(range(8))
    assert run(workers) == expected
    nodes.second = nodes.add_node(**nodes.small)
    nodes.wait_for_nodes()


def test_rewards_of_other_trainers_come_from_the_cluster(nodes: Any) -> None:
    scenes = [SOURCE.make_scene(seed) for seed in (1, 2)]
    cases = [write_case(Case(scene=scene.config)) for scene in scenes for _ in "ab"]
    texts = [envs.format_answer(scenes[0].reference.to_plan()), "no"] * 2
    given = ([""] * 4, texts, None)
    found = SceneReward(engine="ray")(*given, scene=cases)
    close_pools()
    assert found == SceneReward(workers=0)(*given, scene=cases)
    assert found[:2] == [1.0, 0.0]


def test_ray_s_launcher_takes_the_cluster_of_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    monkeypatch.setenv("HOME", str(tmp_path))  # with a token, which is to travel
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    text = (ROOT / "policy" / "README.md").read_text()
    [block] = re.findall(r"```yaml\n(.*?)```", text, re.S)
    config = prepare_config(yaml.safe_load(block))
    validate_config(config)
    assert config["max_workers"] == 2


def _name_node(seconds: float) -> str:
    time.sleep(seconds)
    return ray.get_runtime_context().get_node_id()


def _echo(seconds: float, result: int) -> int:
    time.sleep(seconds)
    return result


def _die_once(mark: Path) -> str:
    if mark.exists():
        return "again"
    mark.touch()
    os._exit(1)


def _hang_once(mark: Path) -> str:
    if mark.exists():
        return "again"
    mark.touch()
    time.sleep(600)
    return "late"
