"""The model card of a trained policy: the README.md that the Hub shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard, ModelCardData

from policy.model.loading import find_directory
from policy.rollout.picture_source import NAME
from policy.runtime.stored import read_json, read_yaml

FIGURES = ("success", "parse_rate", "iou", "average", "endpoint")

_CARD = """\
---
{head}
---
# {env}: {base} after GRPO

A vision-language model that answers an image and an instruction with an affordance box
and a path, as text that Graspo executes in simulation. GRPO improved `{base}`, step by
step from {answers} answers and what came of them.

    import policy
    vlm = policy.load("path/to/this/directory")

## Training

| | |
|---|---|
{training}

## Figures

{figures}

## Licence

{licence}
"""

_FIGURES = """\
Greedy answers on {n} held-out scenes (split `{split}`), with 95 % intervals. IoU in %,
distances in 1/1000 of the image; an answer that does not parse counts as the worst.

| | before | after |
|---|---|---|
{rows}{paired}"""


def write_card(run: Path) -> None:
    """Writes the README.md of `final/`, from what else the run has left.

    Args:
        run: The directory of a run that is done.
    """
    config = read_yaml(run / "config.yaml")
    summary, manifest = (
        _read(run / f"{name}.json") for name in ("summary", "manifest")
    )
    base = str(config["policy"]["path"])
    licence = _find_licence(base)
    text = _CARD.format(
        head=_write_head(base, licence),
        env=summary["env"],
        base=base,
        answers=config["rollout"]["prompts"] * config["rollout"]["num_generations"],
        training=_tabulate(_describe_training(config, summary, manifest)),
        figures=_describe_figures(summary),
        licence=f"As the base policy's: {licence or 'see there'}.",
    )
    (run / "final" / "README.md").write_text(text)


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _find_licence(base: str) -> str | None:
    """What the base policy's own card says, if it has one here."""
    card = find_directory(base) / "README.md"
    if not card.is_file():
        return None
    try:
        found = ModelCard.load(card, ignore_metadata_errors=True).data.to_dict()
    except (ValueError, yaml.YAMLError):  # a stranger's; the training is done
        return None
    return str(found["license"]) if found.get("license") else None


def _write_head(base: str, licence: str | None) -> str:
    """What the Hub reads: a base policy it knows, if it is not a directory here."""
    return ModelCardData(
        license=licence,
        base_model=None if Path(base).is_dir() or base.startswith("assets/") else base,
        library_name="transformers",
        pipeline_tag="image-text-to-text",
        tags=["robotics", "grounding", "mujoco", "grpo", "graspo"],
    ).to_yaml()


def _describe_training(
    config: Mapping[str, Any], summary: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, object]:
    dirty = ", with changes" if manifest.get("dirty") else ""
    return {
        "command": f"`{manifest.get('command', 'not recorded')}`",
        "commit": f"{manifest.get('commit') or 'not recorded'}{dirty}",
        "base policy": f"`{config['policy']['path']}`",
        "scenes": _describe_source(config),
        "reward": config["reward"].get("name") or config["reward"]["weights"],
        "steps": summary["steps"],
        "seed": summary["seed"],
        "time": f"{summary['seconds'] / 60:.1f} minutes",
        "machine": manifest.get("gpu") or manifest.get("processor", "not recorded"),
        "precision": manifest.get("precision", "not recorded"),
        "software": ", ".join(
            f"{name} {manifest[name]}"
            for name in ("torch", "transformers", "peft", "mujoco")
            if name in manifest
        ),
    }


def _describe_source(config: Mapping[str, Any]) -> str:
    """What was learned from; annotated images have a split of their own."""
    env, said = config["env"], []
    names = dict.fromkeys(env.get("only") or [env["name"]])
    left = [name for name in names if name not in env.get("without", ())]
    if scenes := [f"`{name}`" for name in left if name != NAME]:
        said.append(f"{', '.join(scenes)}, split `{config['split']}`")
    if NAME in left:
        said.append(f"`{NAME}`, split `train`")
    return "; ".join(said)


def _tabulate(rows: Mapping[str, object]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def _describe_figures(summary: Mapping[str, Any]) -> str:
    before, after = summary["before"], summary["after"]
    names = [name for name in FIGURES if name in before and name in after]
    if not names:
        return "Not measured (`n=0`)."
    rows = {
        name.replace("_", " "): f"{_spell(before, name)} | {_spell(after, name)}"
        for name in names
    }
    return _FIGURES.format(
        n=after["n"],
        split=after["split"],
        rows=_tabulate(rows),
        paired=_describe_pairs(summary["paired"].get("success")),
    )


def _describe_pairs(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    return (
        f"\n\nScene by scene, {row['gained']} were gained and {row['lost']} lost: "
        f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}), "
        f"p = {row['p_value']:.2g} by McNemar's exact test."
    )


def _spell(figures: Mapping[str, Any], name: str) -> str:
    digits = 3 if name in ("success", "parse_rate") else 1
    low, high = figures["intervals"][name]
    return f"{figures[name]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
