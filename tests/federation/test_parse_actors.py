"""Doctors, instances, collections and tombstones as they are fetched and read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from federation import parse, reader, render
from federation.errors import ForeignOrigin, Malformed, TooMany
from federation.uri import Uri
from federation.vocabulary import Doctor, Tombstone
from tests.federation import words
from tests.federation.words import ANNA, DE, FR, MARIE, NOON


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
