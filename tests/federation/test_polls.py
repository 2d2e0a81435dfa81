"""Polls and votes on the wire: what is read, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from federation import parse, render
from federation.errors import KindNotFederated, Malformed, Refused
from federation.uri import Uri
from federation.vocabulary import Create, Post, Vote
from tests.federation import words
from tests.federation.words import DE, IT


def with_poll(**changes: Any) -> dict[str, Any]:
    """The Create of a case with a poll that is changed by hand."""
    document: Any = render.document(words.a_create(words.a_post(poll=words.a_poll())))
    document["object"]["poll"] = {**document["object"]["poll"], **changes}
    return dict(document)


def option(name: Any = "A", votes: Any = 0) -> dict[str, Any]:
    """An option as it stands on the wire."""
    return {"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": votes}}


def test_a_poll_is_a_question_with_one_of() -> None:
    """FEP-9967: options are Notes with a name and a number of replies."""
    document: Any = render.document(words.a_post(poll=words.a_poll()))

    assert "Question" == document["poll"]["type"]
    assert [("Myokarditis", 0), ("Sarkoidose", 2)] == [
        (each["name"], each["replies"]["totalItems"]) for each in document["poll"]["oneOf"]
    ]


def test_both_roads_read_the_same_poll() -> None:
    """JSON-LD and the fast path agree."""
    document = render.document(words.a_create(words.a_post(poll=words.a_poll(by_specialty={"cardiology": [1, 2]}))))

    longer = {**document, "@context": [*document["@context"], {"more": "https://more.example/more"}]}  # type: ignore[misc]

    assert parse.activity_document(document) == parse.activity_document(longer)


@pytest.mark.parametrize(
    "changes",
    [
        {"oneOf": [option("A")]},
        {"oneOf": [option(f"{number}") for number in range(9)]},
        {"oneOf": [option("A"), option("A")]},
        {"oneOf": [option("A"), option("")]},
        {"oneOf": [option("A"), option("B", -1)]},
        {"oneOf": [option("A"), option("B", 10**9)]},
        {"oneOf": [option("A"), {**option("B"), "type": "Article"}]},
        {"anyOf": [option("A"), option("B")]},
        {"type": "Article"},
        {"updated": None},
        {"closed": True},
        {"votesBySpecialty": [1, 2]},
        {"id": None},
    ],
)
def test_a_poll_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    """One option, nine, the same twice, none without a name, no number, several answers, no version."""
    with pytest.raises(Malformed):
        parse.activity_document(with_poll(**changes))


def test_a_poll_lies_where_its_post_does() -> None:
    """Another server's address for the poll is refused."""
    with pytest.raises(Refused):
        parse.activity_document(with_poll(id=f"{IT}/posts/01POST/poll"))


def test_eight_options_are_read() -> None:
    """The twin: at the limit everything is read."""
    found = parse.activity_document(with_poll(oneOf=[option(f"{number}", number) for number in range(8)]))

    assert isinstance(found, Create)
    assert isinstance(found.object, Post)
    assert found.object.poll is not None
    assert [(str(number), number) for number in range(8)] == [
        (each.name, each.votes) for each in found.object.poll.options
    ]


def test_a_note_with_a_name_and_no_content_is_a_vote() -> None:
    """With content it is an answer, whatever it is called; without a name it is neither."""
    vote = words.a_create(words.a_vote())
    document: Any = render.document(vote)

    assert isinstance(parse.activity_document(document).object, Vote)  # type: ignore[union-attr]
    del document["object"]["name"]
    with pytest.raises(Malformed):
        parse.activity_document(document)


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"name": "x" * 201}, {"inReplyTo": None}, {"to": [f"{DE}/doctors/anna", f"{IT}/x"]}]
)
def test_a_vote_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    """For nothing, for too much, in no poll, and addressed otherwise than its activity."""
    document: Any = render.document(words.a_create(words.a_vote()))
    document["object"] = {**document["object"], **changes}

    with pytest.raises(Malformed):
        parse.activity_document(document)


def test_a_vote_is_not_changed_by_an_update() -> None:
    """It is given anew."""
    document: Any = render.document(words.a_create(words.a_vote()))

    with pytest.raises(KindNotFederated):
        parse.activity_document({**document, "type": "Update", "id": Uri.parse(f"{DE}/activities/x")})
