"""The generated parts of the page on monitoring: every series as it is served, and a rule file made of the table of figures."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from instance import i18n
from instance.figures import BY_NAME, DAY, HOUR, MINUTE, PLACES, PREFIX, RULES, Rule, State, Unit
from instance.metrics import Metrics

#: What an alert is called by its severity: somebody looks in working hours, or is woken.
SEVERITY: Final = {State.LOOK: "look", State.ACT: "act"}


def series(registry: CollectorRegistry) -> list[Metric]:
    """The families of our own that a registry serves, by name."""
    return sorted((each for each in registry.collect() if each.name.startswith(PREFIX)), key=lambda each: each.name)


def served_as(family: Metric) -> str:
    """The name under which its values are read."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def metrics() -> list[tuple[str, ...]]:
    """Every series with its labels and what it counts."""
    made = Metrics()
    labels = {
        each._name: each._labelnames for each in made.registry._collector_to_names if hasattr(each, "_labelnames")
    }
    rows = [
        (f"`{served_as(each)}`", each.type, ", ".join(labels[each.name]), each.documentation)
        for each in series(made.registry)
    ]
    return [("series", "kind", "labels", "what it says"), *rows]


def thresholds() -> list[tuple[str, ...]]:
    """From where on a figure asks for somebody, and what that is to do."""
    say = i18n.catalogue("en").text
    rows = [
        (
            f"`{_series(rule)}`",
            _when(rule, rule.look),
            _when(rule, rule.act),
            say(f"health.do.{rule.code}"),
            _where(rule),
        )
        for rule in RULES
    ]
    return [("series", "look", "act now", "what to do", "where"), *rows]


def _series(rule: Rule) -> str:
    label = BY_NAME[rule.figure].label
    return PREFIX + rule.figure + (f'{{{label}="{rule.value}"}}' if rule.value else "")


def _where(rule: Rule) -> str:
    return ", ".join(f"`{each}`" for each in (PLACES.get(rule.place, ""), rule.command) if each) or "on the server"


def _when(rule: Rule, limit: float | None) -> str:
    if limit is None:
        return ""
    return f"{'under' if rule.below else 'over'} {_said(limit, BY_NAME[rule.figure].unit)}"


def _said(limit: float, unit: Unit) -> str:
    if unit is Unit.BYTES:
        return f"{int(limit) >> 20} MiB"
    if unit is Unit.RATIO:
        return f"{limit:.0%}"
    if unit is not Unit.SECONDS:
        return f"{limit:g}"
    _, size, name = next(each for each in _UNITS if limit >= each[0])
    return f"{limit / size:g} {name}"


#: From so many seconds on, of so many seconds, a unit.
_UNITS: Final = ((2 * DAY, DAY, "days"), (HOUR, HOUR, "h"), (5 * MINUTE, MINUTE, "min"), (0, 1, "s"))


def alerts() -> str:
    """The rule file."""
    lines = ["groups:", "  - name: esanum", "    rules:"]
    for rule in RULES:
        for state, limit in ((State.ACT, rule.act), (State.LOOK, rule.look)):
            if limit is not None:
                lines += _alert(rule, state, limit)
    return "```yaml\n" + "\n".join(lines) + "\n```"


def _alert(rule: Rule, state: State, limit: float) -> list[str]:
    only = f" and on() {PREFIX}{rule.only} == 1" if rule.only else ""
    name = "".join(part.capitalize() for part in f"esanum_{rule.code}_{SEVERITY[state]}".split("_"))
    say = i18n.catalogue("en").text(f"health.do.{rule.code}")
    quoted = say.replace("'", "''")
    return [
        f"      - alert: {name}",
        f"        expr: {_series(rule)} {'<' if rule.below else '>'} {limit}{only}",
        f"        for: {rule.lasts}",
        "        labels:",
        f"          severity: {SEVERITY[state]}",
        "        annotations:",
        f"          summary: '{quoted}'",
        f"          where: '{_where(rule).replace('`', '')}'",
    ]
