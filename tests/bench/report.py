"""Figures beside their budgets, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

#: Microseconds of one RSA-2048 verification on the machine for which the budgets were written; a bar is a budget in
#: such verifications, so that a slower machine is not blamed on the code.
REFERENCE: Final = 23.5


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured. `budget` is an upper bound of `value`, or with `at_least` a lower one; None: no bar."""

    name: str
    server: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    #: Costs are compared in calibration units; times and sizes as they are.
    scaled: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def holds(self, calibration: float) -> bool:
        """Whether the bar is kept on a machine on which one verification takes so many microseconds."""
        if self.budget is None:
            return True
        if self.at_least:
            return self.value >= self.budget
        return self.value <= (self.budget * max(1.0, calibration / REFERENCE) if self.scaled else self.budget)


def cost(name: str, server: str, cpu: float, number: int, budget: float | None, **more: Any) -> Figure:
    """CPU seconds per 1,000 operations."""
    return Figure(name, server, cpu / number * 1000, "CPU-s/1000", budget, scaled=True, more=more)


def table(figures: Sequence[Figure], calibration: float) -> str:
    """Return the figures, a line each."""
    lines = [
        f"calibration: {calibration:.1f} µs of CPU for one RSA-2048 verification (budgets are for {REFERENCE})",
        f"{'':<52}{'server':<11}{'budget':>8}{'figure':>9}  {'unit':<11}{'ratio':>7}  bar",
        *(_line(figure, calibration) for figure in figures),
    ]
    over = [figure for figure in figures if not figure.holds(calibration)]
    lines.append(f"{len(figures)} figures, {len(over)} over their budget")
    return "\n".join(lines)


def as_json(figures: Sequence[Figure], calibration: float) -> dict[str, Any]:
    """Return the same for a program."""
    return {
        "calibration_us": calibration,
        "figures": [
            {**asdict(figure), "ratio": _ratio(figure, calibration), "holds": figure.holds(calibration)}
            for figure in figures
        ],
    }


def _line(figure: Figure, calibration: float) -> str:
    budget = "" if figure.budget is None else f"{'≥' if figure.at_least else '≤'} {figure.budget:g}"
    ratio = f"{_ratio(figure, calibration):.1f}" if figure.scaled else ""
    bar = "" if figure.budget is None else "ok" if figure.holds(calibration) else "OVER"
    more = "  ".join(f"{name} {_short(value)}" for name, value in figure.more.items())
    value = f"{figure.value:.3f}" if figure.value < 10 else f"{figure.value:.0f}"
    return f"{figure.name:<52}{figure.server:<11}{budget:>8}{value:>9}  {figure.unit:<11}{ratio:>7}  {bar:<5}{more}"


def _ratio(figure: Figure, calibration: float) -> float | None:
    """How many verifications one operation costs."""
    return figure.value * 1000 / calibration if figure.scaled else None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
