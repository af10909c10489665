"""Trains the default policy on the expert's answers.

`python scripts/warmstart.py env=pick_mug minutes=36 out=runs/mine` (`env=all` takes
every scene) leaves a run directory with config.yaml, metrics.jsonl, curve.png, state/
and policy/, and copies the finished policy with its model card to `out`. It begins with
random weights, or by `start=<policy directory>` with those. `resume=<run directory>`
goes on with a run that stopped; it, too, needs `out=`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launching.choices import spell_command
from launching.launch import launch
from launching.settings import build
from launching.sources import complete, describe_scenes, list_envs
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from policy import VLM
    from policy.model.tiny.size import TinySize
    from policy.rollout.scene_source import SceneSource
    from policy.sft.trainer import Trainer

RESUMED = ("out", "n", "threads", "quiet")
PLACES = ("out", "run_dir", "n", "threads")  # change nothing about the weights


def main(config: DictConfig) -> None:
    """Trains, measures and writes the policy."""
    from launching.checks import read_stored

    from policy.training.run_dir import RunDir

    out, run_dir = Path(config.out), open_run(config)
    run = RunDir(run_dir)
    run.take()
    if config.resume:
        kept = read_stored(run_dir / "config.yaml")
        kept.out, kept.n, kept.threads = config.out, config.n, config.threads
        kept.quiet = config.quiet
        complete(kept)
        config = kept
    try:
        trainer = train(config, run_dir)
    except FloatingPointError as error:
        sys.exit(f"error: {error}; lower sft.rate and sft.rate_matrices")
    ship(config, trainer, run_dir)
    shutil.copytree(run_dir / "policy", out)
    run.close()


def check(config: DictConfig) -> None:
    """Refuses to overwrite a policy, and what does not exist or means nothing."""
    from launching.checks import check_free, check_numbers, check_resumed

    from envs import list_scenes
    from envs.randomization.factors import check_choice
    from envs.robot import get_robot
    from envs.scene import IMAGE_SIZE
    from policy.home import find
    from policy.model.tiny.size import TinySize
    from policy.sft.settings import SFTConfig

    check_numbers("sft.bf16", config.sft.bf16)
    build(SFTConfig, config.sft)
    if (size := build(TinySize, config.size)).image != IMAGE_SIZE:
        raise ValueError(f"size.image is {size.image}; scenes show {IMAGE_SIZE}")
    start = find(config.start or ".")
    if not start.is_dir() and start.parent.is_dir() and "/" in config.start:
        raise FileNotFoundError(f"start={config.start}: there is no such directory")
    get_robot(config.robot)
    if config.resume:
        check_resumed(Path(config.resume), RESUMED)
    check_free("out", Path(config.out))
    for name, times in config.often.items():
        check_choice("often", name, list_scenes())
        if not isinstance(times, int) or times < 1:
            raise ValueError(f"often.{name} is {times}; a whole number of at least 1")


def open_run(config: DictConfig) -> Path:
    """Makes the run directory, or finds the one to go on with."""
    from policy.runtime.manifest import make_manifest

    if config.resume:
        run_dir = Path(config.resume)
        if not (run_dir / "config.yaml").is_file():
            raise FileNotFoundError(f"resume={run_dir} holds no config.yaml")
        return run_dir
    now = datetime.now()
    run_dir = Path(config.run_dir or f"runs/warmstart/{now:%F_%H-%M-%S}")
    if run_dir.exists():
        raise FileExistsError(f"run_dir={run_dir} exists; choose another or resume= it")
    run_dir.mkdir(parents=True)
    config.sft.bf16 = choose_products(config.sft.bf16)
    OmegaConf.save(config, run_dir / "config.yaml")
    (run_dir / "command").write_text(spell_command(without=PLACES))
    numbers = "bfloat16" if config.sft.bf16 else "float32"
    manifest = make_manifest(spell_command(), numbers)
    (run_dir / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return run_dir


def choose_products(wanted: str | bool) -> bool:
    """Returns whether to multiply in bfloat16; `auto`: where the machine can."""
    import torch

    from policy.runtime.products import find_products

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return bool(find_products(device)) if wanted == "auto" else bool(wanted)


def train(config: DictConfig, run_dir: Path) -> Trainer:
    """Trains to the end of the budget."""
    import torch

    from policy.model.tiny.size import TinySize
    from policy.model.tiny.tokenizer import build_tokenizer, list_colour_ids
    from policy.sft.data import Collator, ExampleSource
    from policy.sft.loss import Student
    from policy.sft.settings import SFTConfig
    from policy.sft.trainer import Trainer
    from policy.training.progress import Screen

    if config.threads:
        torch.set_num_threads(config.threads)
    size, tokenizer = build(TinySize, config.size), build_tokenizer()
    names = list_envs(config)
    often = tuple(name for name in names for _ in range(config.often.get(name, 1)))
    held_out = hold_out(config)
    source = ExampleSource(
        replace(held_out, names=often, split="train", varied=config.varied)
    )
    collate = Collator(
        tokenizer=tokenizer,
        size=size,
        blind=config.blind,
        knowledge=config.knowledge,
    )
    student = Student(
        begin(config, size, tokenizer),
        size,
        classes=1 + len(source.part_classes),
        points=(size.cell // collate.stride) ** 2,
        tied=list_colour_ids(tokenizer),
        seed=config.seed,
    )
    say = Screen(quiet=config.quiet).say
    trainer = Trainer(student, collate, build(SFTConfig, config.sft), run_dir, say)
    trainer.run(source, ExampleSource(held_out), seed=config.seed, varied=config.varied)
    return trainer


def hold_out(config: DictConfig) -> SceneSource:
    """The scenes that are never shown, as the policy is to see and answer them."""
    from policy.rollout.scene_source import SceneSource

    return SceneSource(names=list_envs(config), split="test", **describe_scenes(config))


def begin(config: DictConfig, size: TinySize, tokenizer: Any) -> Any:
    """Returns the model with its first weights."""
    from policy.model.tiny.adoption import adopt_weights
    from policy.model.tiny.model import build_model

    model = build_model(size, tokenizer, seed=config.seed)
    if config.start:
        start = load_start(config.start, model.config.model_type)
        try:
            adopt_weights(model, tokenizer, start.model, start.processor.tokenizer)
        except RuntimeError as error:
            raise ValueError(
                f"start={config.start} is of another size: {error}"
            ) from error
    return model


def load_start(name: str, kind: str) -> VLM:
    """Returns the policy to begin with; another kind is refused before its weights."""
    import policy
    from policy.model.loading import find_directory, read_config
    from policy.model.origin.files import check_directory

    directory = find_directory(name)
    check_directory(directory)
    said = read_config(directory).model_type
    if said != kind:
        raise ValueError(
            f"start={name} has model_type {said!r}; valid: {kind!r}, as that of "
            "assets/tiny"
        )
    return policy.load(directory)


def ship(config: DictConfig, trainer: Trainer, run_dir: Path) -> None:
    """Writes the Hugging Face directory, measures it and writes its model card."""
    import policy
    from policy.evaluation.evaluate import Exam, evaluate
    from policy.evaluation.table import tabulate
    from policy.model.tiny.model import save_policy
    from policy.rollout.collect import answer_greedily
    from policy.rollout.play import Referee
    from policy.rollout.workers import Workers
    from policy.sft.card import Provenance, write_card
    from policy.training.progress import Screen

    student, tokenizer = trainer.student, trainer.collate.tokenizer
    directory = run_dir / "policy"
    save_policy(directory, student.model, tokenizer, student.size, blind=config.blind)
    answerer = answer_greedily(policy.load(directory), max_new_tokens=96)
    source, measured = hold_out(config), {}
    with Workers() as workers:
        for env in list_envs(config):
            exam = Exam(source=replace(source, names=(env,)), n=config.n)
            referee = Referee(workers=workers)
            measured[env], _ = evaluate(answerer, exam, referee)
    origin = Provenance(
        name="tiny" if config.out == "assets/tiny" else config.out,
        command=(run_dir / "command").read_text(),
        start=config.start or "random weights",
        varied=config.varied,
        blind=config.blind,
        seed=config.seed,
        steps=trainer.progress.step,
        batch=trainer.config.batch,
        minutes=trainer.progress.seconds / 60,
        device=_describe_device(),
        parameters=sum(p.numel() for p in student.model.parameters()) / 1e6,
        image=student.size.image,
    )
    write_card(directory, origin, measured)
    what = {"policy": config.out, "split": "test"}
    rows = [{"env": env} | what | m.to_row() for env, m in measured.items()]
    Screen(quiet=config.quiet).say(tabulate(rows))


def _describe_device() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{len(os.sched_getaffinity(0))} CPU cores"


if __name__ == "__main__":
    launch("warmstart", main, all_envs=True, check=check)
