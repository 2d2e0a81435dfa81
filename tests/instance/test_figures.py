"""The table of figures: every rule names what exists, and asks for somebody beyond its limit and at no other value."""

from __future__ import annotations

import math

import pytest

from instance.figures import BY_NAME, FIGURES, PAGE_OF, PLACES, RULES, Part, Rule, State, findings, state_of
from tests.tools.docs_parts import helps, page_routes

NAMES = [rule.code for rule in RULES]
JUST = 0.001


def found(rule: Rule, number: float) -> State:
    """What a rule asks for at this value, where it counts."""
    return rule.state({(rule.figure, rule.value): number} | ({(rule.only, ""): 1.0} if rule.only else {}))


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_asks_beyond_its_limit_alone(rule: Rule) -> None:
    """Beyond the first limit a look, beyond the second an act; at the limit itself the milder of the two."""
    outward = -JUST if rule.below else JUST
    milder = {State.LOOK: State.OK, State.ACT: State.OK if rule.look is None else State.LOOK}
    for state, limit in ((State.LOOK, rule.look), (State.ACT, rule.act)):
        if limit is not None:
            assert state is found(rule, limit + outward)
            assert milder[state] is found(rule, limit)
            assert milder[state] is found(rule, limit - outward)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_figure_that_is_missing_asks_for_nobody(rule: Rule) -> None:
    """What does not apply to an instance is no alarm; nor is what counts only beside something that is not there."""
    assert State.OK is rule.state({})
    assert State.OK is found(rule, math.nan)
    if rule.only:
        limit = rule.act if rule.act is not None else rule.look
        assert limit is not None
        assert State.OK is rule.state(
            {(rule.figure, rule.value): limit + (-1 if rule.below else 1), (rule.only, ""): 0.0}
        )


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_names_what_there_is(rule: Rule) -> None:
    """Its figure, a value of its label, a page that administrators can open or a command that can be typed."""
    pages = {path for path, methods, access in page_routes() if "GET" in methods and access == "staff"}
    commands = {path for path, _ in helps()} | {"df -h"}

    assert rule.figure in BY_NAME
    assert rule.value in (BY_NAME[rule.figure].values or ("",))
    assert rule.place == "" or PLACES[rule.place].partition("?")[0] in pages
    assert rule.command == "" or rule.command in commands
    assert rule.place or rule.command or rule.loud
    assert (rule.look, rule.act) != (None, None)


def test_each_code_and_each_name_stands_once() -> None:
    """Two rules under one code would have one sentence; two figures under one name would be one series."""
    names = [figure.name for figure in FIGURES]

    assert len(NAMES) == len(set(NAMES))
    assert len(names) == len(set(names))
    assert set(Part) == {figure.part for figure in FIGURES}
    assert set(PAGE_OF) == set(Part) - {Part.STORAGE}


def test_the_urgent_stands_first() -> None:
    """Of what is found the act stands before the look, and the worst of a part is its state."""
    values = {("siblings_behind", ""): 1.0, ("lanes_alarming", ""): 1.0, ("lanes_hanging", ""): 2.0}
    told = findings(values)

    assert ["alarming", "behind", "hanging"] == [each.rule.code for each in told]
    assert (State.LOOK, State.ACT, State.OK) == tuple(
        state_of(part, told) for part in (Part.FEDERATION, Part.QUEUES, Part.KEYS)
    )


def test_why_a_list_was_not_taken_is_a_code_of_its_own() -> None:
    """Any code asks for a look; none asks for nothing."""
    (rule,) = [each for each in RULES if each.figure == "federation_list_alarm"]

    assert State.LOOK is rule.state({("federation_list_alarm", "too_few_signatures"): 1.0})
    assert State.OK is rule.state({("federation_list_kept", ""): 1.0})
