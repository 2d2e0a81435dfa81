"""The only reader of foreign JSON: what is kept is exactly what our vocabulary says, and everything else is refused."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation import parse, reader, render
from federation.errors import ForeignOrigin, KindNotFederated, Malformed, PublicAudience, Refused, TooMany
from federation.jsonld import CONTEXT
from federation.strict import strict_json
from federation.uri import Uri
from federation.vocabulary import (
    PUBLIC,
    Announce,
    Delete,
    Doctor,
    Flag,
    Follow,
    Ignored,
    Post,
    PostKind,
    Tombstone,
    Undo,
    Update,
)
from tests.examples import examples
from tests.federation import words
from tests.federation.vectors import vector_files, vector_name
from tests.federation.words import ANNA, DE, FR, MARIE, NOON

_quick = settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))


def a_document(**changes: Any) -> dict[str, Any]:
    """A Create of a case, as plain JSON."""
    return {**orjson.loads(render.activity(words.a_create())), **changes}


def with_object(**changes: Any) -> dict[str, Any]:
    """The same with other values in the object."""
    document = a_document()
    document["object"].update(changes)
    return document


def about(type_name: str, thing: Any, **changes: Any) -> dict[str, Any]:
    """An activity of Marie's about something."""
    return {
        "@context": list(CONTEXT),
        "id": f"{FR}/activities/1",
        "type": type_name,
        "actor": str(MARIE),
        "object": thing,
        **changes,
    }


def _status(read: Any, source: Any) -> int:
    try:
        read(source)
    except Refused as refusal:
        return refusal.http_status
    return 200


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
            assert _status(read, source) in (200, 400, 403)


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


@pytest.mark.parametrize("name", ["Block", "Move", "Add", "Dislike", "EraseReceipt", "TentativeAccept"])
def test_an_unused_activity_is_ignored(name: str) -> None:
    """An activity of a type we do not use is answered and counted by its type, and nothing of it is read."""
    assert Ignored(id=Uri.parse(f"{FR}/activities/1"), actor=MARIE, type_name=name) == parse.activity_document(
        about(name, {"type": "Group", "x": 1})
    )


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


# ── limits ──


def _tags(count: int, name: str = "Hashtag") -> list[dict[str, str]]:
    return [{"type": name, "href": f"{DE}/x/{n}"} for n in range(count)]


@pytest.mark.parametrize(
    "changes",
    [
        {"to": [f"{DE}/doctors/{n}" for n in range(257)]},
        {"to": [f"{DE}/doctors/{n}" for n in range(200)], "bcc": [f"{DE}/doctors/{n}" for n in range(57)]},
        {"tag": _tags(51, "Mention")},
        {"tag": _tags(65)},
        {"attachment": [{"type": "Image"}] * 17},
        {"oneOf": [{"type": "Note"}] * 21},
        {"tag": _tags(500, "Mention")},
    ],
)
def test_too_many_of_anything_is_refused(changes: dict[str, Any]) -> None:
    """A80: 500 mentions or recipients, and every other count beyond its limit, are too_many."""
    with pytest.raises(TooMany):
        parse.activity_document(with_object(**changes))


def test_just_enough_is_read() -> None:
    """The twin: at the limit everything is read."""
    people = [f"{DE}/doctors/{n}" for n in range(256)]
    document = {**with_object(to=people, tag=[*_tags(50, "Mention"), *_tags(14)]), "to": people}

    found = parse.activity_document(document).object

    assert isinstance(found, Post)
    assert (256, 50) == (len(found.to), len(found.mentions))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "\u200b"},
        {"name": "x" * 201},
        {"content": "y"},
        {"contentMap": None},
        {"contentMap": {}},
        {"contentMap": {"de": "a", "fr": "b"}, "content": None},
        {"contentMap": {"deu": "a"}, "content": "a"},
        {"contentMap": {"de": "x" * 65_537}, "content": None},
        {"contentMap": {"de": "é" * 32_769}, "content": None},
        {"contentMap": {"de": "&" * 60_000}, "content": None},
        {"specialty": None},
        {"specialty": ["a", "b", "c", "d"]},
        {"specialty": ["a", "a"]},
        {"specialty": "Not A Slug"},
        {"specialty": "a\n"},
        {"published": None},
        {"published": "yesterday"},
        {"published": "2026-11-23T12:00:00"},
        {"published": "2026-11-23"},
        {"published": "2026-W47-1T12:00:00Z"},
        {"published": "9999-12-31T23:59:59-14:00"},
        # On some reader's clock these would lie outside the calendar, and no page could show them.
        {"published": "9999-12-31T23:59:59Z"},
        {"published": "0001-01-01T00:00:00Z"},
        {"updated": "2026-13-01T00:00:00Z"},
        {"attributedTo": [str(ANNA), str(MARIE)]},
        {"attributedTo": None},
        {"id": None},
        {"doi": "x" * 201},
        {"clinicalSummary": "Herr X"},
        {"consent": [1]},
        {"context": "thread"},
        {"to": ["anna"]},
        {"tag": {"type": "Mention"}},
        {"tag": {"type": "Mention", "href": "@anna"}},
    ],
)
def test_a_post_without_its_form_is_malformed(changes: dict[str, Any]) -> None:
    """Every field of a post has its form and its limit."""
    with pytest.raises(Malformed):
        parse.activity_document(with_object(**changes))


@pytest.mark.parametrize("path", ["document", "object"])
@pytest.mark.parametrize("key", sorted({*a_document(), *a_document()["object"]} - {"@context"}))
def test_every_field_with_every_wrong_type(path: str, key: str) -> None:
    """A74: each field with each wrong JSON type is refused or read as absent, never another exception."""
    for value in (True, 5, 0.5, "", "x", [], [[]], [5], {}, {"x": {}}, {"id": 5}, [None, "x"]):
        document = a_document()
        (document if path == "document" else document["object"])[key] = copy.deepcopy(value)
        assert _status(parse.activity_document, document) in (200, 400, 403)


@given(
    words.activities,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(sorted(PUBLIC)),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(("id", "type", "@id", "@type", "to", "href", "@context", "x")), inner)
        ),
        max_leaves=5,
    ),
    st.data(),
)
@_quick
def test_whatever_is_put_into_a_document_is_read_or_refused(word: Any, value: Any, data: st.DataObject) -> None:
    """Mutated documents of ours raise nothing but refusals."""
    document = orjson.loads(render.activity(word))
    key = data.draw(st.sampled_from(sorted(document)))
    document[key] = value
    try:
        parse.activity_document(document)
    except Refused:
        pass


# ── text ──


def test_content_is_sanitised_at_the_door() -> None:
    """A86: foreign HTML does not get past this module, in posts, comments and profiles."""
    dirty = "<p onclick=x>a</p><script>alert(1)</script>"
    doctor = {**orjson.loads(render.doctor(words.a_doctor())), "summary": dirty, "name": "Dr <b>\u202eAnna ✓"}
    found = parse.activity_document(with_object(content=dirty, contentMap={"de": dirty}, name="a\u202eb"))

    assert ("<p>a</p>", "ab") == (found.object.content, found.object.title)  # type: ignore[union-attr]
    assert ("<p>a</p>", "Dr <b>Anna") == (parse.doctor(doctor).summary, parse.doctor(doctor).name)


def test_milliseconds_are_kept_and_no_more() -> None:
    """Times are read in any RFC 3339 spelling, into UTC, to the millisecond."""
    read = parse.activity_document(with_object(published="2026-11-23T13:00:00.123456+01:00")).object

    assert NOON.replace(microsecond=123_000) == read.published  # type: ignore[union-attr]
    assert datetime(2026, 11, 23, 12, tzinfo=UTC) == NOON


# ── actors, collections, tombstones ──


@pytest.mark.parametrize("key", ["inbox", "outbox", "followers", "following", "endpoints"])
@pytest.mark.parametrize("place", ["https://fr.esanum.example/inbox", "https://de.esanum.example:444/x"])
def test_boxes_lie_on_the_doctors_own_server(key: str, place: str) -> None:
    """A48: an inbox or collection on another host is refused; on a private address it is no address at all."""
    document = orjson.loads(render.doctor(words.a_doctor()))

    with pytest.raises(ForeignOrigin):
        parse.doctor({**document, key: {"sharedInbox": place} if key == "endpoints" else place})
    for private in ("http://127.0.0.1/inbox", "http://[::1]/inbox", "https://10.0.0.1/inbox"):
        with pytest.raises(Malformed):
            parse.doctor({**document, key: {"sharedInbox": private} if key == "endpoints" else private})


@pytest.mark.parametrize(
    "changes",
    [
        {"preferredUsername": ""},
        {"preferredUsername": "Anna"},
        {"preferredUsername": "anna/x"},
        {"preferredUsername": "anna\n"},
        {"preferredUsername": None},
        {"name": ""},
        {"name": "✓✓"},
        {"name": None},
        {"followers": None},
        {"publicKey": f"{DE}/key"},
        {"publicKey": {"id": f"{DE}/key"}},
        {"publicKey": {"id": f"{DE}/key", "owner": str(ANNA), "publicKeyPem": "x" * 5_000}},
        {"doctorCredential": "eyJ…"},
        {"doctorCredential": ["x"]},
        {"language": "german"},
    ],
)
def test_a_doctor_without_the_form_is_malformed(changes: dict[str, Any]) -> None:
    """Each field of an actor has its form; the credential is an object or absent."""
    with pytest.raises(Malformed):
        parse.doctor({**orjson.loads(render.doctor(words.a_doctor())), **changes})


def test_a_doctor_without_a_credential_is_read_as_such() -> None:
    """The credential is judged elsewhere; `verified` in any input has no meaning (N37)."""
    document = orjson.loads(render.doctor(words.a_doctor(credential=None)))

    assert None is parse.doctor({**document, "verified": True, "esanum:verified": True}).credential
    assert "verified" not in Doctor.__struct_fields__


def test_keys_of_other_types_are_left_out() -> None:
    """FEP-521a: Multikeys are read; another type of key is not ours to read; too many are refused."""
    document = orjson.loads(render.doctor(words.a_doctor()))
    other = {"id": f"{ANNA}#jwk", "type": "JsonWebKey", "controller": str(ANNA)}

    found = parse.doctor({**document, "assertionMethod": [other, *document["assertionMethod"]]})

    assert words.a_doctor().assertion_methods == found.assertion_methods
    with pytest.raises(TooMany):
        parse.doctor({**document, "assertionMethod": [other] * 17})


def test_an_instance_announces_rfc_9421() -> None:
    """FEP-844e: by an object with href, by an address, in a list or alone; anything else announces nothing."""
    document = orjson.loads(render.instance(words.an_instance()))
    rfc = reader.RFC_9421

    for value in ([{"href": rfc}], {"href": rfc, "name": "x"}, rfc, [f"{DE}/x", rfc], {"id": rfc}):
        assert parse.instance({**document, "implements": value}).speaks_rfc9421
    for value in (None, [], rfc + "x", {"name": rfc}, [{"href": f"{DE}/x"}]):
        assert not parse.instance({**document, "implements": value}).speaks_rfc9421


def test_a_collection_leads_nowhere_else() -> None:
    """A51: first, next and partOf lie on the collection's own server; items may lie anywhere."""
    at = Uri.parse(f"{DE}/posts/1/context")
    document = orjson.loads(render.collection(at, 2, [ANNA, MARIE], first=Uri.parse(f"{at}/1")))

    assert (ANNA, MARIE) == parse.collection_page(document).items
    for key in ("first", "next", "partOf"):
        with pytest.raises(ForeignOrigin):
            parse.collection_page({**document, key: f"{FR}/x"})
    for changes in ({"totalItems": -1}, {"totalItems": "2"}, {"orderedItems": ["x"]}, {"type": "Note"}):
        with pytest.raises(Malformed):
            parse.collection_page({**document, **changes})
    with pytest.raises(TooMany):
        parse.collection_page({**document, "orderedItems": [f"{DE}/{n}" for n in range(1_001)]})


def test_a_tombstone_says_what_it_was() -> None:
    """A Tombstone keeps id, former type and time; a former type that is no word of ours is dropped."""
    stone = Tombstone(id=Uri.parse(f"{DE}/posts/1"), former_type="Article", deleted=NOON)
    document = orjson.loads(render.tombstone(stone))

    assert stone == parse.tombstone(document)
    assert "" == parse.tombstone({**document, "formerType": "Video"}).former_type


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
    found = parse.read(_Signed(orjson.dumps(document)))  # type: ignore[arg-type]

    strangers = {f"https://{name}.example" for name in ("bcc", "audience", "media", "tag")}
    assert {DE, FR, *strangers} == parse.addressed_hosts(found)
    assert {DE, FR} == parse.addressed_hosts(found.activity)


def test_an_address_that_is_none_hides_nowhere() -> None:
    """A63: numeric hosts, other schemes and userinfo are refused in every protocol field, also in those we drop."""
    for field in ("attachment", "tag", "bcc", "audience", "url"):
        for value in ("https://127.0.0.1/x", "ftp://a.example/x", "https://a@b.example/", "https://xn--/ x"):
            with pytest.raises(Malformed):
                parse.read(_Signed(orjson.dumps(with_object(**{field: [{"type": "Image", "href": value}]}))))  # type: ignore[arg-type]


# ── the whole message ──


class _Signed:
    """The one member of Verified that is read here; the type is held by mypy, the maker by federation.signatures."""

    def __init__(self, body: bytes) -> None:
        self.body = body


def test_a_message_is_read_once_and_kept_as_sent() -> None:
    """The raw document is what was sent, for proofs; the activity is what it says."""
    body = render.activity(words.a_create(), proof={"type": "DataIntegrityProof", "@context": list(CONTEXT)})
    found = parse.document(_Signed(body))  # type: ignore[arg-type]

    assert orjson.loads(body) == found.raw == parse.raw(_Signed(body))  # type: ignore[arg-type]
    assert found.activity.has_proof
    assert words.a_post() == found.activity.object  # type: ignore[union-attr]


def test_the_door_may_name_an_earlier_fault_first() -> None:
    """`read` hands the refusal of kind or audience back with the actor known; `document` raises it at once."""
    public = _Signed(orjson.dumps(a_document(bto="as:Public")))
    video = _Signed(orjson.dumps(with_object(type="Video")))

    for proof, refusal in ((public, PublicAudience), (video, KindNotFederated)):
        found = parse.read(proof)  # type: ignore[arg-type]
        assert ANNA == found.activity.actor
        assert isinstance(found.objection, refusal)
        with pytest.raises(refusal):
            parse.document(proof)  # type: ignore[arg-type]
        with pytest.raises(refusal):
            parse.activity(proof)  # type: ignore[arg-type]
