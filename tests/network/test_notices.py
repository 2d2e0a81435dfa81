"""What a sibling's doctor does is told like what a colleague at home does, and kept out by the same rule."""

from __future__ import annotations

from typing import Any

import pytest

from instance.services import notice_wishes
from instance.services.notice_kinds import Group
from instance.services.notice_wishes import Wishes
from tests.instance.test_telling import EVERYTHING, SECRETS, TITLE, WORDS, mails, put, reached
from tests.town import Network, rows


@pytest.fixture
async def town(tmp_path) -> Any:
    """France and Germany."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


async def test_an_answer_from_abroad_is_told_in_numbers(town):
    """The row that tells of it is written with the notice; the mail says how much, and nothing else."""
    fr, de = town["fr"], town["de"]
    marie, anna = await reached(fr, "marie", wishes=Wishes(EVERYTHING)), await de.doctor("anna")
    slug = await marie.posts(TITLE, text=WORDS)
    await town.settle()
    await anna.comments(f"{fr.node.origin}/posts/{slug}", WORDS)
    await town.settle()
    waiting = [row["way"] for row in await rows(fr.node, "select way from notice_due order by way")]
    mail = (await mails(fr))[0]
    shown = (mail.as_string() + mail.get_content()).replace("marie@mail.example", "")

    assert ["now", "push"] == waiting
    assert "1 answer to you" in mail.get_content()
    assert [] == [word for word in SECRETS if word in shown]


@pytest.mark.parametrize("table", ["blocks", "mutes"])
async def test_whoever_is_blocked_or_muted_abroad_reaches_nobody(town, table):
    """Nothing is written, so nothing waits."""
    fr, de = town["fr"], town["de"]
    marie, anna = await reached(fr, "marie", wishes=Wishes(EVERYTHING)), await de.doctor("anna")
    slug = await marie.posts(TITLE, text=WORDS)
    await town.settle()
    await put(fr, f"insert into {table} values ('{marie.uri}', '{anna.uri}', 0)")
    await anna.comments(f"{fr.node.origin}/posts/{slug}", WORDS)
    await town.settle()

    assert [] == await rows(fr.node, "select id from notifications")
    assert [] == await rows(fr.node, "select way from notice_due")
    assert [] == await mails(fr)


async def test_wishes_stay_at_home(town):
    """No sibling is told how somebody is told of notices."""
    fr, de = town["fr"], town["de"]
    marie = await fr.doctor("marie")
    await town.settle()
    before = len(town.contacts)
    await notice_wishes.keep(
        fr.node, marie.uri, "FR", Wishes({Group.ANSWERS: EVERYTHING[Group.ANSWERS]}, digest=(1, 8))
    )
    await town.settle()

    assert before == len(town.contacts)
    assert [] == await rows(de.node, "select doctor from notice_wishes")
