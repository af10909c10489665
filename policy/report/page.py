"""Writes the page: everything in one file, which opens offline by a double click."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from policy.report.curves import ChartGroup, draw_curves
from policy.report.films import Media, choose_films, make_films, make_images
from policy.report.run import PLAYED, Row, Run, read_run
from policy.report.scenes import Case, list_judged, pair_up, sort_cases
from policy.report.tables import (
    list_figures,
    list_reasons,
    rate_by_factor,
    rate_by_scene,
    rate_cases,
)
from policy.report.views import Card, build_card, word_reason
from policy.report.words import (
    WHEN,
    describe_run,
    flatten,
    list_differences,
    name_scene,
    tell_time,
)
from policy.rollout.workers import Workers
from policy.runtime.whole import replace_text

FILE = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
# Scenes that are filmed: reports then take 3 % of the default run's time, 0.4 s at each
# checkpoint and a quarter of a second of one core for each of 30 films.
FILMS = 12
MOST_CASES = 600  # in the gallery: 5 MB of images, 4 MB of text
VERDICTS = {
    "gained": "failed, then solved",
    "lost": "solved, then failed",
    "differ": "not all solve it",
    "solved": "solved",
    "failed": "failed",
}
KINDS = {".jpg": ("image/jpeg", b"\xff\xd8"), ".mp4": ("video/mp4", b"ftyp")}


@dataclass(frozen=True, slots=True)
class Files:
    """Files that go into a page, each once.

    Attributes:
        content: Name to the data URL.
    """

    content: dict[str, str] = field(default_factory=dict)

    def add(self, path: Path) -> str:
        """Takes a picture in; returns its name, "" if it is none or not there."""
        name = path.name
        if name not in self.content:
            kind, sign = KINDS.get(path.suffix, ("", b""))
            raw = path.read_bytes() if kind and path.is_file() else b""
            if not kind or sign not in raw[:12]:
                return ""
            data = base64.b64encode(raw).decode()
            self.content[name] = f"data:{kind};base64,{data}"
        return name


def write_report(
    path: Path, workers: Workers, films: int = FILMS, out: Path | None = None
) -> Path:
    """Writes the page of a run.

    Args:
        path: The run directory.
        workers: They make films.
        films: Scenes of which the executions are filmed.
        out: The file; report.html in the run directory if None.

    Returns:
        The file.

    Raises:
        FileNotFoundError: It is not a run directory.
        ValueError: A file is damaged; it is named.
    """
    run, files = read_run(path), Files()
    media = dict.fromkeys(run.evaluations, Media(folder=path / "evaluations"))
    cases = sort_cases(pair_up(run.evaluations))
    # Of a run that is going on other scenes will be worth a film at its end.
    filmed = choose_films(cases, films // 2 if run.going else films)
    _make(media, cases, filmed, workers)
    return _write(
        out or path / FILE,
        "run.html",
        run=run,
        title=run.name,
        sentence=describe_run(run),
        labels=list(run.evaluations or run.figures),
        verdicts=VERDICTS,
        figures=list_figures(run),
        settings=flatten(run.config),
        files=files.content,
        **_show(cases, filmed, media, files),
        **_show_played(run, films, files, workers),
        **_draw([run]),
    )


def write_comparison(
    paths: Sequence[Path], out: Path, workers: Workers, films: int = FILMS
) -> Path:
    """Writes a page that shows runs side by side.

    Args:
        paths: The run directories, at least two.
        out: The file.
        workers: They make films.
        films: Scenes of which the executions are filmed.

    Raises:
        FileNotFoundError: One of them is not a run directory.
        ValueError: A file is damaged; it is named.
    """
    runs, files = [read_run(path) for path in paths], Files()
    labels, shared = _label(runs), _find_shared(runs)
    rows = [run.evaluations.get(shared, []) for run in runs]
    folders = [Media(folder=run.path / "evaluations") for run in runs]
    media = dict(zip(labels, folders, strict=True))
    cases = sort_cases(pair_up(dict(zip(labels, rows, strict=True))))
    filmed = choose_films(cases, films)
    _make(media, cases, filmed, workers)
    return _write(
        out,
        "comparison.html",
        runs=runs,
        title=f"{len(runs)} runs",
        labels=labels,
        verdicts=VERDICTS | {"gained": "only the second", "lost": "only the first"},
        rows=[_summarize(*pair) for pair in zip(runs, labels, strict=True)],
        differences=list_differences(runs),
        when=WHEN.get(shared, ""),
        files=files.content,
        **_show(cases, filmed, media, files),
        **_draw(runs),
    )


def _make(
    media: Mapping[str, Media],
    cases: Sequence[Case],
    filmed: Sequence[Case],
    workers: Workers,
) -> None:
    """Makes the pictures that are missing."""
    make_images(media, cases[:MOST_CASES], workers)
    make_films(media, filmed, workers)


def _show(
    cases: Sequence[Case],
    filmed: Sequence[Case],
    media: Mapping[str, Media],
    files: Files,
) -> dict[str, Any]:
    """What the parts about scenes show."""
    cards = _build_cards(cases, filmed, media, files)
    judged, reasons = list_judged(cases), list_reasons(cases)
    return {
        "cases": len(cases),
        "cards": cards,
        "overall": rate_cases("all scenes", judged) if cases else None,
        "by_scene": rate_by_scene(judged),
        "by_factor": rate_by_factor(judged),
        "reasons": [(r, build_card(r.example, media, files.add)) for r in reasons],
        "choices": _list_choices(cards),
    }


def _show_played(
    run: Run, films: int, files: Files, workers: Workers
) -> dict[str, Any]:
    """What was tried in the playground: scenes of somebody's choice, so not counted."""
    media = {PLAYED: Media(folder=run.path / "evaluations")}
    cases = sort_cases(pair_up({PLAYED: run.played}))
    filmed = choose_films(cases, films)
    _make(media, cases, filmed, workers)
    return {"tries": len(cases), "played": _build_cards(cases, filmed, media, files)}


def _build_cards(
    cases: Sequence[Case],
    filmed: Sequence[Case],
    media: Mapping[str, Media],
    files: Files,
) -> list[Card]:
    shown = _list_shown(cases, filmed)
    return [build_card(case, media, files.add) for case in shown]


def _list_shown(cases: Sequence[Case], filmed: Sequence[Case]) -> list[Case]:
    """Those of the gallery: what is filmed among equals comes first."""
    verdicts = list(dict.fromkeys(case.verdict for case in cases))
    ids = {id(case) for case in filmed}
    flips = {"gained", "lost", "differ"}
    rank = {v: 0 if v in flips else 1 + i for i, v in enumerate(verdicts)}
    order = sorted(cases, key=lambda c: (rank[c.verdict], id(c) not in ids))
    return order[:MOST_CASES]


def _list_choices(cards: Sequence[Card]) -> dict[str, list[str]]:
    """What the gallery can be filtered by."""
    return {
        "scene": sorted({card.env for card in cards}),
        "verdict": list(dict.fromkeys(card.verdict for card in cards)),
        "reason": sorted({reason for card in cards for reason in card.reasons}),
    }


def _draw(runs: Sequence[Run]) -> dict[str, Any]:
    groups: list[ChartGroup] = draw_curves(runs)
    return {"groups": groups, "charts": [asdict(c) for g in groups for c in g.charts]}


def _write(out: Path, template: str, **content: Any) -> Path:
    """Fills a template; the file is there whole or not at all."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    writer = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # a model's text is data
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writer.filters |= {"word": word_reason, "time": tell_time}
    plain = {
        name: Markup((TEMPLATES / name).read_text()) for name in ("page.css", "page.js")
    }
    page = writer.get_template(template).render(
        style=plain["page.css"],
        script=plain["page.js"],
        plotly=Markup(get_plotlyjs()),
        written=datetime.now().strftime("%Y-%m-%d %H:%M"),
        **content,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_text(out, page)
    return out


def _label(runs: Sequence[Run]) -> list[str]:
    """Names that tell runs apart, as short as they can be."""
    ends = [run.path.resolve().name for run in runs]
    names = ends if len(set(ends)) == len(ends) else [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    return [f"{name} ({i})" for i, name in enumerate(names, start=1)]


def _find_shared(runs: Sequence[Run]) -> str:
    """The last evaluation that all runs have, "" if there is none.

    One run before its training says nothing about another after its own.
    """
    names = [n for n in WHEN if all(n in run.evaluations for run in runs)]
    return names[-1] if names else ""


def _summarize(run: Run, label: str) -> Row:
    return {
        "name": label,
        "scene": name_scene(run),
        "reward": run.get("reward.name", ""),
        "steps": run.metrics[-1]["step"] if run.metrics else 0,
        "time": tell_time(run.seconds),
        "figures": run.figures,
    }
