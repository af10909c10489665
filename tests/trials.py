"""What becomes of each architecture: it trains, or is refused in one line.

python tests/trials.py            # writes the table of policy/README.md
python tests/trials.py llava git  # prints what becomes of some
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from architectures import ARCHITECTURES, SPECS, build_architecture, build_bare
from torch import Tensor

import policy
from policy.model.sharing.attention import can_share
from policy.model.vlm import VLM
from policy.records import Completion, LoraSpec, Prompt

README = Path(__file__).parents[1] / "policy" / "README.md"
SHARED, COPIED = "trains, prompt shared", "trains, prompt copied for each answer"
UNTRIED = "not tried: no miniature"
_BARE = ("are damaged", "cannot be", "does not take", "missing required")
"""What is said of a directory without weights or without the tokens of its family."""
HEAD = "| | what becomes of it | `model_type` |\n|---|---|---|\n"
RNG = np.random.default_rng(0)
PROMPTS = [
    Prompt(image=RNG.integers(0, 256, (56, 56, 3), np.uint8), instruction=words)
    for words in ("Lift the red mug", "Open the drawer on the left")
]
Groups = Sequence[Sequence[Completion]]


def try_architecture(name: str, home: Path) -> str:
    """Returns what becomes of an architecture.

    Raises:
        AssertionError: If it neither works nor is refused.
    """
    build = build_architecture if name in SPECS else build_bare
    build(home, name)
    try:
        vlm = policy.load(home, device="cpu", lora=LoraSpec(rank=2, alpha=4))
    except ValueError as error:
        return _shorten(str(error), home)
    groups = vlm.sample(PROMPTS, 2, temperature=1.0, max_new_tokens=6, seeds=[0, 1])
    check_scores(vlm, groups)
    check_greedy(vlm)
    check_training(vlm, groups, home.parent / "trained")
    check_gradient(policy.load(home, device="cpu"), groups)
    return SHARED if can_share(vlm.model) else COPIED


def check_scores(vlm: VLM, groups: Groups) -> None:
    """Scoring finds the log-probabilities of sampling, prompt shared or not."""
    scores = score(vlm, groups).detach()
    with torch.no_grad():
        plain = vlm.score_plain(PROMPTS, groups, temperature=1.0)
    torch.testing.assert_close(scores, plain, atol=1e-5, rtol=1e-5)
    for rows, group in zip(scores.numpy(), groups, strict=True):
        for row, completion in zip(rows, group, strict=True):
            length = len(completion.token_ids)
            said = completion.logprobs
            np.testing.assert_allclose(row[:length], said, rtol=1e-5, atol=1e-5)


def check_greedy(vlm: VLM) -> None:
    """At temperature 0 a policy says what `generate` says."""
    groups = vlm.sample(PROMPTS, 1, temperature=0, max_new_tokens=6)
    blocked = torch.nonzero(vlm.vocabulary.bias < 0)[:, 0].tolist()
    for prompt, (completion,) in zip(PROMPTS, groups, strict=True):
        inputs = vlm._encode([prompt], 6)
        said = vlm.model.generate(
            **inputs, do_sample=False, max_new_tokens=6, suppress_tokens=blocked
        )
        said = said[0, inputs["input_ids"].shape[1] :].tolist()
        own = list(completion.token_ids)
        assert own == said[: len(own)]


def check_gradient(vlm: VLM, groups: Groups) -> None:
    """The gradient through the prompt that is shared is that of the plain way."""
    found = differentiate(vlm, score(vlm, groups))
    plain = vlm.score_plain(PROMPTS, groups, temperature=1.0)
    expected = differentiate(vlm, plain)
    error = (found - expected).norm() / expected.norm()
    assert error <= 1e-4, float(error)


def check_training(vlm: VLM, groups: Groups, path: Path) -> None:
    """Two steps raise what they are to raise, and the saved policy is the same."""
    trained = [p for p in vlm.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    before = score(vlm, groups).sum()
    for _ in range(2):
        optimizer.zero_grad()
        (-score(vlm, groups).sum()).backward()
        optimizer.step()
    after = score(vlm, groups).detach()
    assert after.sum() > before
    vlm.save(path)
    loaded = policy.load(path, device="cpu")
    torch.testing.assert_close(score(loaded, groups), after, atol=1e-5, rtol=1e-5)


def score(vlm: VLM, groups: Groups) -> Tensor:
    return vlm.score(PROMPTS, groups, temperature=1.0)


def differentiate(vlm: VLM, scores: Tensor) -> Tensor:
    """All gradients of the scores' sum, in one row."""
    trained = [p for p in vlm.model.parameters() if p.requires_grad]
    found = torch.autograd.grad(scores.sum(), trained, allow_unused=True)
    pairs = zip(found, trained, strict=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs]
    )


def _shorten(message: str, home: Path) -> str:
    """A refusal without what is particular; of one line, or it is no refusal."""
    assert "\n" not in message
    if any(words in message for words in _BARE):
        return UNTRIED
    message = message.replace(str(home), "").removeprefix(": ").split(";")[0]
    return "refused: " + re.sub(r"( of)? ?model_type '[^']+' ?", " ", message).strip()


def group_outcomes(outcomes: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the architectures of each outcome, the best first."""
    kinds = sorted(set(outcomes.values()), key=lambda kind: (kind[0] != "t", kind))
    return {k: [name for name, own in outcomes.items() if own == k] for k in kinds}


def read_table() -> dict[str, str]:
    """Returns what policy/README.md says becomes of each architecture."""
    rows = re.findall(
        r"^\| \d+ \| (.+?) \| (`.*`) \|$", README.read_text(), re.MULTILINE
    )
    return {name: kind for kind, row in rows for name in re.findall("`(.+?)`", row)}


def write_table(outcomes: Mapping[str, str]) -> None:
    """Puts the outcomes into policy/README.md."""
    rows = [
        f"| {len(names)} | {kind} | {', '.join(f'`{name}`' for name in names)} |"
        for kind, names in group_outcomes(outcomes).items()
    ]
    head, rest = README.read_text().split(HEAD)
    _, tail = rest.split("\n\n", 1)
    README.write_text(head + HEAD + "\n".join(rows) + "\n\n" + tail)


def main(names: Sequence[str]) -> None:
    """Tries architectures, and writes the table if it was all of them."""
    outcomes = {}
    for name in names or ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            outcomes[name] = try_architecture(name, Path(folder) / name)
        sys.stdout.write(f"{name}: {outcomes[name]}\n")
    if not names:
        write_table(outcomes)


if __name__ == "__main__":
    main(sys.argv[1:])
