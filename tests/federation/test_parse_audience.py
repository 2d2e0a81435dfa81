"""Whom a message is for, as it is read: never the public, nobody in secret, and no host left unnamed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from federation import parse, render
from federation.errors import Malformed, PublicAudience
from federation.jsonld import CONTEXT
from federation.vocabulary import PUBLIC
from tests.federation import words
from tests.federation.documents import Signed, a_document, about, with_object
from tests.federation.words import DE, FR, MARIE

# ── audience ──


@pytest.mark.parametrize("spelling", sorted(PUBLIC))
@pytest.mark.parametrize("field", ["to", "cc", "bto", "bcc", "audience"])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("form", ["text", "list", "object"])
def test_public_is_refused_in_any_spelling(spelling: str, field: str, deep: bool, form: str) -> None:
    """N42: the public address in any field of activity or object, in any spelling and form, is refused."""
    value: Any = {"text": spelling, "list": [str(MARIE), spelling], "object": {"id": spelling}}[form]
    document = a_document()
    (document["object"] if deep else document)[field] = value
    if field in ("to", "cc") and form == "list":  # equal addressing, so that the public address alone is wrong
        document[field] = document["object"][field] = value

    with pytest.raises((PublicAudience, Malformed)) as refused:
        parse.activity_document(document)
    if not (field in ("to", "cc") and form != "list"):
        assert refused.type is PublicAudience


def test_public_is_refused_in_fetched_things() -> None:
    """The same for what is fetched, and for an activity that only refers."""
    post = orjson.loads(render.post(words.a_post()))

    with pytest.raises(PublicAudience):
        parse.post({**post, "cc": ["as:Public"]})
    with pytest.raises(PublicAudience):
        parse.thing({**post, "audience": "Public"})
    with pytest.raises(PublicAudience):
        parse.activity_document(about("Like", f"{DE}/posts/1", to="as:Public"))


def test_a_prefix_of_ones_own_does_not_hide_the_public() -> None:
    """The public address behind an inline prefix is still the public address."""
    document = a_document()
    document["@context"] = [*CONTEXT, {"p": "https://www.w3.org/ns/activitystreams#"}]
    document["bto"] = "p:Public"

    with pytest.raises(PublicAudience):
        parse.activity_document(document)


def test_blind_recipients_are_dropped() -> None:
    """C5: bto and bcc are neither kept nor passed on."""
    document = with_object(bto=[str(MARIE)], bcc=[str(MARIE)])
    document["bcc"] = [str(MARIE)]

    assert words.a_create() == parse.activity_document(document)
    assert b"bcc" not in render.activity(parse.activity_document(document))


def test_activity_and_object_are_addressed_alike() -> None:
    """C8: a Create or Update whose object goes to other people is malformed."""
    for change in ({"to": [str(MARIE)]}, {"cc": [str(MARIE)]}, {"to": []}):
        for name in ("Create", "Update"):
            with pytest.raises(Malformed):
                parse.activity_document({**with_object(**change), "type": name})


# ── hosts ──


def test_every_origin_in_a_protocol_field_is_named() -> None:
    """Step 16: actor, object, recipients, tags, context and what we drop; not our namespace, not links in text."""
    document = a_document(bcc=["https://bcc.example/x"], audience="https://audience.example")
    document["object"] |= {
        "attachment": [{"type": "Image", "url": {"type": "Link", "href": "https://media.example/x"}}],
        "tag": [{"type": "Hashtag", "href": "https://tag.example/x"}, {"type": "Mention", "href": str(MARIE)}],
        "content": '<a href="https://text.example">x</a>',
        "contentMap": {"de": '<a href="https://text.example">x</a>'},
    }
    found = parse.read(Signed(orjson.dumps(document)))  # type: ignore[arg-type]

    strangers = {f"https://{name}.example" for name in ("bcc", "audience", "media", "tag")}
    assert {DE, FR, *strangers} == parse.addressed_hosts(found)
    assert {DE, FR} == parse.addressed_hosts(found.activity)


def test_an_address_that_is_none_hides_nowhere() -> None:
    """A63: numeric hosts, other schemes and userinfo are refused in every protocol field, also in those we drop."""
    for field in ("attachment", "tag", "bcc", "audience", "url"):
        for value in ("https://127.0.0.1/x", "ftp://a.example/x", "https://a@b.example/", "https://xn--/ x"):
            with pytest.raises(Malformed):
                parse.read(Signed(orjson.dumps(with_object(**{field: [{"type": "Image", "href": value}]}))))  # type: ignore[arg-type]
