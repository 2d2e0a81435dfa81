"""A discussion for named doctors of several countries: everybody in it hears everybody, met before or not."""

from __future__ import annotations

from tests.town import rows


async def test_an_answer_reaches_those_named_whom_its_author_has_never_met(town, fr, marie):
    """Anna names Marie and Luca; Marie answers, and France has never heard of Luca: Italy has the answer all the same."""
    anna, luca = await town["de"].doctor("anna"), await town["it"].doctor("luca")
    slug = await anna.posts("Hers", audience="named", named=(marie.address, luca.address))
    await town.settle()
    made = await marie.comments(f"https://de.example/posts/{slug}", "An answer.")
    await town.settle()
    known = {row["uri"] for row in await rows(fr.node, "select uri from doctors")}
    await fr.node.publishing.withdraw_comment(marie.uri, made)
    heard = [await town[name].answers() for name in ("de", "it")]
    await town.settle()

    assert {marie.uri, anna.uri} == known
    assert [["<p>An answer.</p>"]] * 2 == heard
    assert [[], []] == [await town[name].answers() for name in ("de", "it")]
