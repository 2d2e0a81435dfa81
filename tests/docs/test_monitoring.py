"""The page on monitoring: every rule asks a series that is served, every series is explained, every rule says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instance.figures import PREFIX, RULES
from instance.ops import OpsApp
from tests.docs.pages import blocks, text
from tests.tools.docs_parts import helps
from tests.town import Network, call

PAGE = text("docs/operate/monitoring.md")
FILE = next(block for block in blocks(PAGE, "yaml") if block.startswith("groups:"))
ALERTS = FILE.split("      - alert: ")[1:]
SERIES = re.compile(rf"\b{PREFIX}\w+")


@pytest.fixture
async def answered(tmp_path: Path) -> str:
    """What an instance really answers where Prometheus asks."""
    network = await Network.open(tmp_path)
    try:
        place = await network.add(tmp_path, "fr")
        return (await call(OpsApp(place.node), "GET", "/metrics", {"Host": "127.0.0.1"}, b"")).body.decode()
    finally:
        await network.close()


async def test_every_series_of_a_rule_is_served_and_every_one_served_is_explained(answered: str) -> None:
    """Whoever copies the rules is not silent for want of a name; whoever reads a series finds what it says."""
    served = set(re.findall(rf"^# TYPE ({PREFIX}\w+) ", answered, re.MULTILINE))
    served -= {name for name in served if name.endswith("_created")}
    explained = set(re.findall(rf"^\| `({PREFIX}\w+)` \| (?:gauge|counter) \|", PAGE, re.MULTILINE))
    asked = {name for each in ALERTS for name in SERIES.findall(each.partition("expr: ")[2].partition("\n")[0])}

    assert len(asked) > 25
    assert set() == asked - served
    assert served == explained


def test_a_name_that_is_not_served_is_noticed() -> None:
    """The twin: a rule about a series of another name would be found by the same comparison."""
    assert {"esanum_no_such_series"} == set(SERIES.findall("expr: esanum_no_such_series > 0"))


def test_every_rule_has_its_alerts() -> None:
    """One for each limit, under names of their own, each lasting a while."""
    names = [each.partition("\n")[0] for each in ALERTS]

    assert sum((rule.look is not None) + (rule.act is not None) for rule in RULES) == len(names) == len(set(names))
    assert [] == [each for each in ALERTS if not re.search(r"^        for: \d+[mh]$", each, re.MULTILINE)]


@pytest.mark.parametrize("alert", ALERTS, ids=[each.partition("\n")[0] for each in ALERTS])
def test_every_alert_says_what_to_do_and_where(alert: str) -> None:
    """A whole sentence, a severity, and a page or a command that exists."""
    lines = dict(re.findall(r"^ +(\w+): (.+)$", alert, re.MULTILINE))
    where = lines["where"].strip("'").split(", ")
    commands = {path for path, _ in helps()} | {"df -h", "on the server"}

    assert lines["severity"] in ("look", "act")
    assert re.fullmatch(r"'[A-Z].{20,}\.'", lines["summary"])
    assert [] == [each for each in where if not each.startswith("/") and each not in commands]
    assert re.fullmatch(rf"{PREFIX}\w+(\{{\w+=\"\w+\"\}})? [<>] [\d.]+( and on\(\) {PREFIX}\w+ == 1)?", lines["expr"])
