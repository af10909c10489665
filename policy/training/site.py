"""What a run works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from policy.rollout.workers import Aside, Workers
from policy.runtime.distributed import Team
from policy.training.job import Job
from policy.training.progress import Screen
from policy.training.run_dir import RunDir
from policy.training.stop import StopSignals

Report = Callable[[Workers], object]
"""Writes what people read of a run; may use its workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a run works with: its job, its directory, its screen, processes, workers.

    Attributes:
        history: Metrics of the steps taken, in every process; grows with them.
        stop: Whether the training has been asked to end.
        report: Shows what the directory holds, whenever there is more of it.
    """

    job: Job
    run: RunDir
    screen: Screen
    team: Team
    workers: Workers
    history: list[dict[str, Any]]
    report: Report
    stop: StopSignals

    def list_aside(self) -> list[Aside]:
        """What nobody could finish since this was asked last, in all processes."""
        return self._tell(self.team.gather(self.workers.aside))

    def list_own_aside(self, since: int = 0) -> list[Aside]:
        """The same of this process, while the others do something else.

        Args:
            since: How many there were before; they stay for whoever asks next.
        """
        return self._tell(self.workers.aside[since:], since)

    def _tell(self, found: list[Aside], since: int = 0) -> list[Aside]:
        del self.workers.aside[since:]
        for one in found:
            self.screen.say(f"warning: {one}")
        return found
