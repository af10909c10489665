"""Shows runs in one page: `python scripts/report.py run_dir=runs/pick_mug/first`.

Training writes report.html by itself; this writes it again, e.g. of a run that stopped
or with more films. `run_dir=[a,b,c] out=compare.html` shows runs side by side. The page
is one file, needs no network and opens by a double click.
"""

from __future__ import annotations

from pathlib import Path

from launching.launch import launch
from omegaconf import DictConfig, ListConfig


def main(config: DictConfig) -> None:
    """Writes the page."""
    from policy.report.page import FILE, write_comparison, write_report
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    paths = read_paths(config)
    out = Path(config.out or paths[0] / FILE)
    with Workers() as workers:
        if len(paths) > 1:
            write_comparison(paths, out, workers, config.films)
        else:
            write_report(paths[0], workers, config.films, out)
    Screen(quiet=config.quiet).say(f"report: {out}")


def check(config: DictConfig) -> None:
    """Refuses a page of nothing, or to nowhere."""
    from launching.checks import check_file

    paths = read_paths(config)
    if config.films < 0:
        raise ValueError(f"films is {config.films}; at least 0")
    if len(paths) > 1 and not config.out:
        raise ValueError("several runs need a file to write: out=compare.html")
    if config.out:
        check_file(Path(str(config.out)))  # whatever its ending


def read_paths(config: DictConfig) -> list[Path]:
    """Returns the run directories, each of which must be there."""
    if not config.run_dir:
        raise ValueError(
            "which run? run_dir=<run directory>, or several as run_dir=[a,b]"
        )
    several = isinstance(config.run_dir, ListConfig)
    paths = [Path(str(p)) for p in (config.run_dir if several else [config.run_dir])]
    for path in paths:
        if not path.is_dir():
            raise FileNotFoundError(f"run_dir={path}: there is no such directory")
    return paths


if __name__ == "__main__":
    launch("report", main, check=check)
