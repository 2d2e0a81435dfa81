"""The doctor's day on two instances: found, followed, read, voted, answered, asked, told, searched, reported, withdrawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.browser import day
from tests.browser.steps import enter
from tests.browser.story import Doctor, Scene

SLOW = pytest.mark.slow
#: Each language and both sizes in every run; the other three where minutes are at hand.
LOOKS = [
    pytest.param("de", False, id="de-360"),
    pytest.param("fr", False, id="fr-360"),
    pytest.param("en", False, id="en-360", marks=SLOW),
    pytest.param("en", True, id="en-1280"),
    pytest.param("fr", True, id="fr-1280", marks=SLOW),
    pytest.param("de", True, id="de-1280", marks=SLOW),
]


@asynccontextmanager
async def at_work(scene: Scene, language: str, hand: str, **screen: bool) -> AsyncIterator[tuple[Doctor, Doctor]]:
    """Claire in France and Anna in Germany, signed in, nothing written yet."""
    france, germany = scene.town
    async with (
        scene.somebody(france, france.logins[0], language, hand, **screen) as claire,
        scene.somebody(germany, germany.logins[0], language, hand, **screen) as anna,
    ):
        for who in (claire, anna):
            await enter(who, who.login.handle)
        yield claire, anna


async def walk(claire: Doctor, anna: Doctor) -> None:
    """From the directory to the withdrawal; each step says what it must show, on both sides."""
    await day.asks_to_be_asked(anna)
    await day.finds_and_follows(claire, anna)
    here, home = await day.publishes(anna)
    there = await day.reads(claire, anna, home)
    await day.votes_and_answers(claire, there)
    await day.hears_and_replies(anna, claire)
    await day.edits_and_solves(anna, claire, here, there)
    await day.asks_colleagues(claire, anna)
    await day.searches(claire)
    await day.reports(claire, there)
    await day.looks_at_herself(claire)
    await day.withdraws(anna, claire, here, there)


@pytest.mark.parametrize(("language", "wide"), LOOKS)
async def test_the_day_of_a_doctor(scene: Scene, language: str, wide: bool) -> None:
    """Every step of the day shows what it must, and what stays in Germany is nowhere in France."""
    async with at_work(scene, language, "mouse" if wide else "touch", wide=wide) as (claire, anna):
        await walk(claire, anna)


async def test_the_day_by_keyboard_with_text_twice_as_large(scene: Scene) -> None:
    """The same day at 360 px without a pointer and at 200 % of text: every step is reached, nothing scrolls sideways."""
    async with at_work(scene, "de", "keys", large=True) as (claire, anna):
        await walk(claire, anna)
