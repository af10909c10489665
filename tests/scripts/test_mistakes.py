"""Mistakes: each is answered in one line, at once, with a way out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from commands import ROOT

# What is typed, and what the one line says of it.
TABLE = {
    "train n=abc": "n=abc: must be a whole number",
    "train seed=abc": "seed=abc: must be a whole number",
    "train seed=-1": "seed is -1; at least 0",
    "train n=-3": "n is -3; at least 0",
    "train steps=0": "steps is 0; at least 1",
    "train steps=1.5": "steps=1.5: must be a whole number",
    "train steps=null": "steps=null: must be a whole number",
    "train varied=maybe": "varied=maybe: must be true or false",
    "train shifts=colour": "shifts=colour: must be a list in brackets",
    "train shifts=[colr]": "unknown shift 'colr'; valid: shape, colour",
    "train split=test shifts=[camera]": "need split='ood', not split='test'",
    "train split=testt": "unknown split 'testt'; valid: train, test, ood",
    "train rewrad=success": "unknown key 'rewrad'; did you mean 'reward'?",
    "train beta=0.1": "unknown key 'beta'; did you mean 'algo.beta'?",
    "train algo.betta=1": "'algo.betta'; did you mean 'algo.beta'? valid: algo.sc",
    "train algo.beta=much": "algo.beta=much: must be a number",
    "train algo.loss_type=sum": "unknown algo.loss_type 'sum'; valid: grpo",
    "train algo.warmup_steps=-1": "algo.warmup_steps is -1; at least 0",
    "train algo.average_decay=1": "algo.average_decay is 1; must be in [0, 1)",
    "train algo.learning_rate=1e-4": "is in parts: algo.learning_rate.tower, algo.l",
    "train algo.learning_rate=null": "algo.learning_rate=null: is in parts",
    "train algo.learning_rate.tower=-1": "algo.learning_rate.tower is -1; at least 0",
    "train algo.learning_rate.language=nan": "learning_rate.language is nan; at",
    "train reward.weights=5": "is in parts: reward.weights.",
    "train camera=3": "camera=3: is in parts: camera.azimuth, ",
    "train algo.bf16=0": "algo.bf16 is 0; valid: auto, true, false",
    "train data.path=x": "data.path=x: is for env=offline",
    "train policy.trainable=[tower]": "is for policy.lora=null; adapters train",
    "train algo.minibatches=4 rollout.prompts=2": "algo.minibatches is 4, more than",
    "warmstart minutes=0 out=x": "minutes is 0; above 0",
    "warmstart sft.every=0 out=x": "sft.every is 0; at least 1",
    "warmstart sft.hold=1 out=x": "sft.hold is 1; in 0..1, not 1",
    "warmstart sft.warmup=0 out=x": "sft.warmup is 0; above 0",
    "warmstart sft.batch=0 out=x": "sft.batch is 0; at least 1",
    "warmstart size.image=112 out=x": "size.image is 112; scenes show 224",
    "warmstart robot=xyz out=x": "unknown robot 'xyz'; valid: ",
    "warmstart start=./nope out=x": "start=./nope: there is no such directory",
    "train algo.bf16=maybe": "algo.bf16 is 'maybe'; valid: auto, true, false",
    "train rollout.num_generations=1": "num_generations is 1; at least 2",
    "train reward=sucess": "unknown reward 'sucess'; did you mean 'success'?",
    "train experiment=adopt": "unknown experiment 'adopt'; did you mean 'adapt'?",
    "train env=pick_mugg": "unknown env 'pick_mugg'; did you mean 'pick_mug'?",
    "train env=[]": "env=[] names nothing",
    "train env=[pick_mug,mugg]": "unknown env.only 'mugg'; valid: close_drawer",
    "train env=all env.without=[mugg]": "unknown env.without 'mugg'; valid: clo",
    "train policy=tinny": "unknown policy 'tinny'; did you mean 'tiny'?",
    "train policy=no/such/directory": "there is no such directory; valid: qwen",
    "train policy.device=cuda:7": "policy.device=cuda:7: no such GPU here",
    "train policy.device=gpu": "unknown policy.device 'gpu'; valid: auto, cpu",
    "train policy.dtype=int8": "unknown policy.dtype 'int8'; valid: float32",
    "train policy.lora={rank:0}": "lora.rank is 0; at least 1",
    "train policy.coordinates=pixel": "unknown policy.coordinates 'pixel'; valid: nor",
    "train policy.lora=4": "policy.lora={rank:16,alpha:32}",
    "train knowledge=wiki": "unknown knowledge 'wiki'; valid: none, parts or a file",
    "play knowledge=a.yaml": "unknown knowledge 'a.yaml'; valid: none, parts or a",
    "warmstart env=use_tool without=[axe] out=x": "unknown without 'axe'; valid: ham",
    "evaluate without=[saw]": "without=saw: nothing to leave out of pick_mug",
    "train waypoints=4d": "unknown waypoints '4d'; valid: 2d, 3d",
    "train robot=xyz": "unknown robot 'xyz'; valid: panda, ur5e",
    "train camera.azimut=3": "did you mean 'camera.azimuth'?",
    "train camera.elevation=200": "camera.elevation is 200; valid: a number",
    "train max_turns=0": "max_turns is 0; at least 1",
    "train answer=affordance": "use reward=paper",
    "train answer=box": "unknown answer 'box'; valid: plan, affordance, trajectory",
    "train log=[tensorbord]": "log has 'tensorbord'; valid: tensorboard, wandb, tr",
    "train resume=nowhere": "so it is not a run directory",
    "train --steps=5": "unknown flag '--steps': keys have no dash, steps=<value>",
    "train steps": "cannot read 'steps': missing EQUAL",
    "evaluate suite=missing": "suite=missing: there is no such file",
    "evaluate split=tests": "unknown split 'tests'; valid: train, test, ood",
    "evaluate policy=experd": "unknown policy 'experd'; did you mean 'expert'?",
    "evaluate policy=[null,tinny]": "unknown policy 'tinny'; did you mean 'tiny'?",
    "evaluate policy=null env=[pick_mug,mugg]": "unknown env.only 'mugg'; valid: clo",
    "evaluate policy=null scorer=coco": "unknown scorer 'coco'; valid: graspo, pa",
    "evaluate words=true answer=affordance": "use answer=plan",
    "evaluate words=true max_turns=2": "max_turns=2: one question a scene",
    "evaluate words=true scorer=all": "scorer=all: one question a scene",
    "evaluate suite=assets/suite.json seed=7": "a suite has its own scenes",
    "export out=x answer=affordance": "format=lerobot needs whole plans; prompts for",
    "export out=x format=coco": "unknown format 'coco'; valid: lerobot, graspo, sha",
    "export out=x only=failure": "unknown only 'failure'; valid: success",
    "export out=x run_dir=nowhere": "run_dir=nowhere: it has none of ",
    "export out=x log=a.jsonl": "log=a.jsonl: is a file of run_dir=, which is missing",
    "export out=x run_dir=y split=ood": "split=ood: run_dir= takes answers that were",
    "export out=x format=graspo lossless=true": "is for format=lerobot alone",
    "export out=x run_dir=y look=mesh": "look=mesh: run_dir= takes answers that were",
    "export out=x format=trl rollout.max_new_tokens=9": "format=trl and verl write",
    "export out=x rollout.max_turns=2": "here a policy answers each scene once",
    "evaluate n=0": "n is 0; at least 1",
    "evaluate rollout.temperature=0.7": "rollout.temperature=0.7: is for train.py",
    "evaluate ++rollout.prompts=4": "rollout.prompts=4: is for train.py; here a policy",
    "evaluate rollout.max_turns=2": "here max_turns= tells the turns of a scene",
    "evaluate policy=[tiny,null] policy.lora=null": "policy.lora=null: is for train.py",
    "record policy.lora.rank=8": "is for train.py; here nothing is trained",
    "record run_dir=x env=hang_mug": "env=hang_mug: run_dir= shows answers that were",
    "record run_dir=x policy=runs/y": "policy=runs/y: run_dir= shows answers",
    "record run_dir=x rollout.workers=0": "rollout.workers=0: run_dir= shows answers",
    "play rollout.engine=ray": "the playground simulates on this machine",
    "play view=true policy=[tiny,null]": "policy=[tiny,null]: view=true shows what one",
    "play view=true run_dir=x": "run_dir=x: is for the page; view=true shows one",
    "train env=offline": "env=offline needs data.path=<directory or file>",
    "evaluate env=offline data.path=nowhere": "data.path=nowhere does not exist",
    "evaluate env=offline data.path=x split=ood": "has images of split train and test",
    "evaluate env=offline data.path=x split=tset": "unknown split 'tset'; valid: train",
    "train env=offline data.path=x split=test": "learns from images of split train and",
    "train env=offline data.path=x camera.azimuth=3": "camera.azimuth=3: is for scenes",
    "train env=offline data.path=x robot=xyz": "robot=xyz: is for scenes, not for env",
    "train env=[offline] data.path=x varied=true": "varied=true: is for scenes",
    "evaluate env=offline data.path=x look=mesh": "look=mesh: is for scenes, not for e",
    "evaluate env=offline data.path=x shifts=[colour]": "shifts=[colour]: is for",
    "record policy=null out=films": "unknown ending of out= ''; valid: .mp4, .gif, ",
    "record env=pick_mugg": "unknown env 'pick_mugg'; did you mean 'pick_mug'?",
    "serve robot=xyz": "unknown robot 'xyz'; valid: panda, ur5e",
    "bench parts=[trll]": "parts has ['trll']; choose from step",
    "bench out=.": "out=. is a directory, not a file",
    "evaluate policy=null out=.": "out=. is a directory, not a file",
    "freeze n=3": "out= is needed",
    "freeze out=.": "out=. exists; choose another",
    "warmstart": "out= is needed",
    "study only=carry": "error: only=carry needs the extra meshes: pip install",
    "warmstart out=.": "out=. exists; choose another",
    "train env=kitchen_knob": "env=kitchen_knob needs the extra meshes: pip install",
    "evaluate env=[pick_mug,kitchen_knob]": "needs the extra meshes: pip install 'gra",
    "record policy=null out=/dev/null/a.mp4": "/dev/null is no directory",
    "record look=mesh policy=null": "look=mesh needs the extra meshes: pip install",
    "play look=mash": "unknown look 'mash'; valid: primitive, mesh",
    "report run_dir=nowhere": "run_dir=nowhere: there is no such directory",
}
RUN = """
import contextlib, io, json, runpy, sys, time
scripts, commands = sys.argv[1], json.load(sys.stdin)
sys.path.insert(0, scripts)
sys.modules["gymnasium_robotics"] = None  # as where the extra is not installed
found = []
for command in commands:
    script, *arguments = command.split()
    sys.argv = [script + ".py", *arguments]
    said, errors, code = io.StringIO(), io.StringIO(), 0
    start = time.process_time()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        try:
            runpy.run_path(f"{scripts}/{script}.py", run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    seconds = time.process_time() - start
    heavy = "torch" in sys.modules
    found.append([code, said.getvalue() + errors.getvalue(), seconds, heavy])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder in which all the commands are typed."""
    return tmp_path_factory.mktemp("mistakes")


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, tuple[int, str, float, bool]]:
    """Of each command: code, text, seconds of a processor, whether torch is loaded."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT / "scripts")],
        input=json.dumps(list(TABLE)),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(TABLE, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("command", TABLE)
def test_a_mistake_is_one_line_and_exit_code_two(answers, command: str) -> None:
    code, said, _, _ = answers[command]
    assert said.startswith("error: ") and TABLE[command] in said
    assert said.count("\n") == 1 and code == 2


def test_no_mistake_loads_torch_or_leaves_anything_behind(answers, folder) -> None:
    assert not any(heavy for _, _, _, heavy in answers.values())
    assert not list(folder.iterdir())
    assert median(seconds for _, _, seconds, _ in answers.values()) < 2


def test_a_command_without_a_mistake_is_let_through(folder: Path) -> None:
    script = str(ROOT / "scripts" / "train.py")
    done = subprocess.run(
        [sys.executable, script, "env=[pick_mug,hang_mug]", "algo.beta=0", "--cfg=job"],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 and "- hang_mug" in done.stdout
