"""What is ended while a sibling is paused: it is told when it is resumed, or both would go on believing another thing."""

from __future__ import annotations

from tests.network.scene import befriend
from tests.town import rows


async def test_an_unfollow_said_during_a_pause_arrives_after_it(town, marie, anna):
    """France pauses Germany; Marie stops following Anna meanwhile; resumed, Germany knows."""
    fr, de = town["fr"], town["de"]
    await befriend(town, marie, anna)
    await fr.node.siblings.set_policy(de.node.origin, "pause", by="test", reason="test")
    await fr.node.follows.undo(marie.uri, anna.uri)
    await town.settle()
    meanwhile = await rows(de.node, "select state from follows")
    await fr.node.siblings.set_policy(de.node.origin, "inherit", by="test", reason="test")
    await town.settle()

    assert ["accepted"] == [row["state"] for row in meanwhile]
    assert [] == await rows(de.node, "select state from follows")
    assert [] == await rows(fr.node, "select state from follows")


async def test_nothing_is_kept_for_a_sibling_that_is_blocked(town, marie, anna):
    """The twin: a block is no pause; what is ended then is told to nobody, then or later."""
    fr, de = town["fr"], town["de"]
    await befriend(town, marie, anna)
    await fr.node.siblings.set_policy(de.node.origin, "block", by="test", reason="test")
    since = len(town.contacts)
    await fr.node.follows.undo(marie.uri, anna.uri)
    await town.settle()
    await fr.node.siblings.set_policy(de.node.origin, "inherit", by="test", reason="test")
    await town.settle()

    assert [] == [
        contact for contact in town.contacts[since:] if contact.method == "POST" and "de.example" in contact.url
    ]
