"""The only reader of foreign JSON: what is kept is exactly what our vocabulary says, and everything else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from federation import parse, render
from federation.errors import KindNotFederated, Malformed, PublicAudience, Refused
from federation.jsonld import CONTEXT
from federation.strict import strict_json
from federation.uri import Uri
from federation.vocabulary import Announce, Delete, Flag, Follow, Ignored, PostKind, Undo, Update
from tests.federation import words
from tests.federation.documents import Signed, a_document, about, status_of, with_object
from tests.federation.vectors import vector_files, vector_name
from tests.federation.words import ANNA, DE, FR, MARIE

# ── documents of other servers ──


@pytest.mark.parametrize("path", [*vector_files("activities"), *vector_files("as2")], ids=vector_name)
def test_a_foreign_document_is_read_or_refused(path: Path) -> None:
    """Whatever other servers write, each reader returns a value or a refusal, never another exception."""
    try:
        document = strict_json(path.read_bytes())
    except Refused:
        return
    for read in (parse.activity_document, parse.thing, parse.collection_page, parse.doctor, parse.post):
        for source in (document, {**document, "@context": list(CONTEXT)}):
            assert status_of(read, source) in (200, 400, 403)


@pytest.mark.parametrize("path", vector_files("activities"), ids=vector_name)
def test_nothing_another_network_wrote_becomes_a_post(path: Path) -> None:
    """No document of the open network is taken for a post or comment of ours: it is public, or of another kind."""
    document = json.loads(path.read_text())
    try:
        found = parse.activity_document(document)
    except Refused:
        return

    assert not isinstance(found, parse.Create)


# ── types ──


@pytest.mark.parametrize("name", ["Block", "Travel", "Add", "Dislike", "EraseReceipt", "TentativeAccept"])
def test_an_unused_activity_is_ignored(name: str) -> None:
    """An activity of a type we do not use is answered and counted by its type, and nothing of it is read."""
    assert Ignored(id=Uri.parse(f"{FR}/activities/1"), actor=MARIE, type_name=name) == parse.activity_document(
        about(name, {"type": "Group", "x": 1})
    )


def test_a_move_names_where_from_and_where_to() -> None:
    """Both ends of a Move are addresses, on two instances."""
    found = parse.activity_document(about("Move", str(MARIE), target=str(ANNA)))

    assert (MARIE, ANNA) == (found.object, found.target)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "target", [None, str(MARIE), f"{FR}/doctors/somebody", "not an address", 7, [str(ANNA), str(MARIE)]]
)
def test_a_move_to_nowhere_is_malformed(target: Any) -> None:
    """Without a place to go to, to oneself, inside one instance, or to two places at once nobody moves."""
    with pytest.raises(Malformed):
        parse.activity_document(about("Move", str(MARIE), target=target))


def test_an_unknown_activity_is_counted_as_other() -> None:
    """A type nobody defined is ignored too, under one name: a sender does not choose the names of our counters."""
    found = parse.activity_document(about("Frobnicate", str(ANNA)))

    assert isinstance(found, Ignored)
    assert "other" == found.type_name


@pytest.mark.parametrize(
    "name", ["Note", "Article", "Person", "Application", "Tombstone", "OrderedCollection", "", None]
)
def test_what_is_no_activity_is_malformed(name: Any) -> None:
    """A thing posted to an inbox without an activity says nothing."""
    with pytest.raises(Malformed):
        parse.activity_document(about("x", str(ANNA), type=name))


@pytest.mark.parametrize("name", ["Question", "Page", "Event", "Video", "Group", "Person", "Foo"])
def test_a_create_of_another_kind_is_refused(name: str) -> None:
    """Only posts and comments are created; N38: no group object exists."""
    with pytest.raises(KindNotFederated):
        parse.activity_document(with_object(type=name))


def test_an_unknown_kind_of_post_is_refused() -> None:
    """An Article of a kind this federation does not know does not travel; without a kind it is malformed."""
    with pytest.raises(KindNotFederated):
        parse.activity_document(with_object(postKind="advertisement"))
    with pytest.raises(Malformed):
        parse.activity_document(with_object(postKind=None))


@pytest.mark.parametrize("kind", PostKind)
def test_every_kind_of_ours_is_read(kind: PostKind) -> None:
    """The twin: the kinds of the vocabulary are read; whether they travel is a policy's question."""
    assert kind == parse.activity_document(with_object(postKind=kind.value)).object.kind  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["Group", "Service", "Organization", "Application", "Robot"])
def test_another_actor_is_no_doctor(name: str) -> None:
    """A55, N38: a Service, a Group or an unknown actor is not read as a doctor, nor accepted in an Update."""
    document = orjson.loads(render.doctor(words.a_doctor()))
    document["type"] = name

    with pytest.raises(Malformed):
        parse.doctor(document)
    if name != "Application":
        with pytest.raises(KindNotFederated):
            parse.activity_document(about("Update", {k: v for k, v in document.items() if k != "@context"}))


@pytest.mark.parametrize("name", [["Create", "Announce"], ["Create", "Create"], [], 5, {"id": "Create"}])
def test_two_types_are_none(name: Any) -> None:
    """A document that is two things at once is refused."""
    with pytest.raises(Malformed):
        parse.activity_document(a_document(type=name))


# ── forms ──


def test_scalar_list_and_null_are_equal() -> None:
    """JSON-LD's three forms of one value are read alike."""
    document = a_document()
    document["actor"] = [{"id": document["actor"], "type": "Person"}]
    document["to"] = document["to"][0]
    document["type"] = ["Create"]
    document["cc"] = None
    document["object"] = [{**document["object"], "cc": [], "specialty": "cardiology", "tag": None}]

    assert words.a_create() == parse.activity_document(document)


def test_an_actor_is_one() -> None:
    """Two actors are refused, however the second is written."""
    for actor in ([str(ANNA), str(MARIE)], [], None, {}, {"id": None}, {"id": 5}, "", "anna", f"{DE}/../x"):
        with pytest.raises(Malformed):
            parse.activity_document(a_document(actor=actor))


def test_an_activity_has_an_id() -> None:
    """G1: without an id there is no activity, not even an ignored one."""
    for name in ("Follow", "Block"):
        for value in (None, "", 5, [], {}, "urn:uuid:1", "//de.esanum.example/x", "/x"):
            with pytest.raises(Malformed):
                parse.activity_document(about(name, str(ANNA), id=value))


def test_a_create_holds_its_object() -> None:
    """An address in place of the object is refused: nothing is fetched to find out what was created."""
    for value in (f"{DE}/posts/01POST", None, [], {"id": f"{DE}/posts/01POST"}):
        with pytest.raises(Refused):
            parse.activity_document(a_document(object=value))


@pytest.mark.parametrize("name", ["Follow", "Accept", "Reject", "Undo", "Like", "Announce", "Delete", "Flag", "Update"])
def test_an_activity_without_its_object_is_malformed(name: str) -> None:
    """S2: what is about something says about what."""
    for value in (None, [], {}, "", 5, "Public"):
        with pytest.raises(Refused):
            parse.activity_document(about(name, value))


def test_an_inline_object_of_an_announce_is_an_address() -> None:
    """A45: inline text of somebody else's post is ignored; only the address is kept."""
    forged = {"id": f"{DE}/posts/01POST", "type": "Article", "name": "Forged", "attributedTo": str(ANNA)}

    found = parse.activity_document(about("Announce", forged))

    assert isinstance(found, Announce)
    assert f"{DE}/posts/01POST" == found.object


def test_embedded_activities_are_addresses() -> None:
    """Undo and Accept may embed the Follow; its id is what counts. A Delete may embed a Tombstone."""
    follow = {"id": f"{FR}/activities/0", "type": "Follow", "actor": str(MARIE), "object": str(ANNA)}

    assert f"{FR}/activities/0" == parse.activity_document(about("Undo", follow)).object  # type: ignore[union-attr]
    gone = parse.activity_document(about("Delete", {"id": f"{FR}/comments/1", "type": "Tombstone"}))
    assert f"{FR}/comments/1" == gone.object  # type: ignore[union-attr]
    assert {Undo, Delete, Follow} <= set(parse.AnyActivity.__args__)  # type: ignore[attr-defined]


def test_an_update_by_address_asks_to_read_anew() -> None:
    """A bare address, or an object that says no more than its id, is an address."""
    for value in (str(MARIE), {"id": str(MARIE)}, {"id": str(MARIE), "name": "x"}):
        found = parse.activity_document(about("Update", value))

        assert isinstance(found, Update)
        assert MARIE == found.object


def test_a_flag_carries_a_code_and_no_text() -> None:
    """A report names objects and a coded reason; free text is not kept, and a reason with spaces is refused."""
    found = parse.activity_document(about("Flag", [f"{DE}/posts/1"], reason="patient-data", content="Herr X …"))

    assert (
        Flag(
            id=Uri.parse(f"{FR}/activities/1"),
            actor=MARIE,
            objects=(Uri.parse(f"{DE}/posts/1"),),
            reason="patient-data",
        )
        == found
    )
    with pytest.raises(Malformed):
        parse.activity_document(about("Flag", f"{DE}/posts/1", reason="Herr X lives there"))


# ── the whole message ──


def test_a_message_is_read_once_and_kept_as_sent() -> None:
    """The raw document is what was sent, for proofs; the activity is what it says."""
    body = render.activity(words.a_create(), proof={"type": "DataIntegrityProof", "@context": list(CONTEXT)})
    found = parse.document(Signed(body))  # type: ignore[arg-type]

    assert orjson.loads(body) == found.raw == parse.raw(Signed(body))  # type: ignore[arg-type]
    assert found.activity.has_proof
    assert words.a_post() == found.activity.object  # type: ignore[union-attr]


def test_the_door_may_name_an_earlier_fault_first() -> None:
    """`read` hands the refusal of kind or audience back with the actor known; `document` raises it at once."""
    public = Signed(orjson.dumps(a_document(bto="as:Public")))
    video = Signed(orjson.dumps(with_object(type="Video")))

    for proof, refusal in ((public, PublicAudience), (video, KindNotFederated)):
        found = parse.read(proof)  # type: ignore[arg-type]
        assert ANNA == found.activity.actor
        assert isinstance(found.objection, refusal)
        with pytest.raises(refusal):
            parse.document(proof)  # type: ignore[arg-type]
        with pytest.raises(refusal):
            parse.activity(proof)  # type: ignore[arg-type]
