"""Two processes train as one would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import ROOT, call
from runs import read_log
from safetensors.torch import load_file

from policy.runtime.distributed import Team

# Three prompts for two processes, two minibatches, second turns, a batch's own std.
ARGUMENTS = (
    "policy.device=cpu",
    "steps=2",
    "n=1",
    "videos=0",
    "max_turns=2",
    "rollout.prompts=3",
    "rollout.num_generations=3",
    "rollout.workers=0",
    "algo.scale_rewards=batch",
    "algo.minibatches=2",
    "algo.optimizer=adam",
    "algo.bf16=false",
    "algo.average_decay=0",
    "algo.learning_rate.language=1e-4",
)


def launch_two(*arguments: str, cwd: Path) -> None:
    """Trains with two processes, as `accelerate launch` starts them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    process = subprocess.run(
        [
            *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"),
            *("--num_processes=2", "--num_machines=1", "--mixed_precision=no"),
            *("--dynamo_backend=no", f"--main_process_port={port}"),
            *(str(ROOT / "scripts" / "train.py"), *arguments),
        ],
        cwd=cwd,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert not process.returncode, process.stdout + process.stderr


def test_two_processes_reach_the_weights_of_one(tmp_path: Path) -> None:
    launch_two(*ARGUMENTS, "run_dir=two", cwd=tmp_path)
    assert not call("train", *ARGUMENTS, f"run_dir={tmp_path / 'one'}")
    one, two = tmp_path / "one", tmp_path / "two"
    names = [
        sorted(p.name.split(".")[0] for p in path.iterdir()) for path in (one, two)
    ]
    assert names[0] == names[1]  # one process writes: one file of events, too
    logs = (read_log(path, "rollouts.jsonl") for path in (one, two))
    for row, twin in zip(*logs, strict=True):
        assert row["text"] == twin["text"]
        assert row["advantage"] == pytest.approx(twin["advantage"], abs=1e-4)
    for row, twin in zip(read_log(one), read_log(two), strict=True):
        assert row == pytest.approx(twin, abs=1e-3)
    start = load_file(ROOT / "assets" / "tiny" / "model.safetensors")
    ends = [load_file(path / "final" / "model.safetensors") for path in (one, two)]
    moved = torch.cat([(ends[0][k] - start[k].float()).flatten() for k in start])
    apart = torch.cat([(ends[0][k] - ends[1][k]).flatten() for k in start])
    assert apart.abs().max() < 1e-5
    assert apart.norm() < 1e-2 * moved.norm()


def test_a_process_without_a_prompt_trains_along(tmp_path: Path) -> None:
    few = ("rollout.prompts=1", "algo.minibatches=1", "max_turns=1", "n=0", "run_dir=r")
    launch_two(*ARGUMENTS, *few, cwd=tmp_path)
    assert len(read_log(tmp_path / "r")) == 2


@pytest.mark.parametrize(("items", "size"), [(5, 2), (4, 4), (1, 3), (0, 2)])
def test_shares_are_even_and_make_up_the_whole(items: int, size: int) -> None:
    whole = list(range(items))
    shares = [Team(rank=rank, size=size).share(whole) for rank in range(size)]
    assert [item for share in shares for item in share] == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
