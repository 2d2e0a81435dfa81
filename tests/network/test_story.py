"""The story the product is for, between instances in one process."""

from __future__ import annotations


async def test_a_case_reaches_every_sibling(network):
    """A case written in France can be read in Germany and in Spain."""
    town = await network("fr", "de", "es")
    marie = await town["fr"].doctor("marie")

    await marie.posts("Syncope after exercise")
    await town.settle()

    assert ["Syncope after exercise"] == await town["de"].titles()
    assert ["Syncope after exercise"] == await town["es"].titles()


async def test_an_answer_comes_home(network):
    """A doctor in France answers a German case; the answer is in the German thread and in Spain."""
    town = await network("fr", "de", "es")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await anna.posts("Ataxia with a normal MRI")
    await town.settle()

    await marie.comments(f"{town['de'].node.origin}/posts/{slug}", "Ask for the CSF.")
    await town.settle()

    assert "Ask for the CSF." in "".join(await town["de"].answers())
    assert "Ask for the CSF." in "".join(await town["es"].answers())


async def test_a_follow_crosses_the_border_and_is_accepted(network):
    """A doctor in France follows one in Germany; both instances hold the same accepted relation."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")

    await marie.follows(anna)
    await town.settle()

    from tests.town import rows

    expected = [(marie.uri, anna.uri, "accepted")]
    for place in ("fr", "de"):
        found = await rows(town[place].node, "select follower, followee, state from follows")
        assert expected == [tuple(row) for row in found]


async def test_a_withdrawal_reaches_every_copy(network):
    """A case withdrawn at home is gone at every sibling."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    slug = await marie.posts("To be withdrawn")
    await town.settle()

    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()

    assert [] == await town["de"].titles()
