"""The way out: what is written is read back as the same value, and is never public."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from federation import parse, render
from federation.jsonld import CONTEXT
from federation.strict import strict_json
from federation.uri import Uri
from federation.vocabulary import PUBLIC, Activity, Collection, Ignored
from tests.examples import examples
from tests.federation import words

_quick = settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))


@given(words.activities)
@_quick
def test_every_activity_comes_back(word: Any) -> None:
    """parse(render(x)) == x for every activity."""
    assert word == parse.activity_document(strict_json(render.activity(word)))


@given(words.things)
@_quick
def test_every_thing_comes_back(word: Any) -> None:
    """parse(render(x)) == x for everything that is fetched."""
    assert word == parse.thing(strict_json(render.encode(render.document(word))))


@given(words.activities | words.things)
@_quick
def test_nothing_public_is_ever_written(word: Any) -> None:
    """C5, G9, N42: no document holds bto, bcc or the public address, and each begins with our context."""
    document = orjson.loads(render.encode(render.document(word)))
    text = re.sub(r'"(?:clinicalSummary|consent|screening|doctorCredential)":\{.*', "", str(orjson.dumps(document)))

    assert list(CONTEXT) == document["@context"]
    assert not {"bto", "bcc", "audience"} & document.keys()
    assert not any(spelling in text for spelling in ('"as:Public"', "activitystreams#Public"))


@pytest.mark.parametrize("where", ["to", "cc"])
def test_a_public_value_is_not_written(where: str) -> None:
    """G9: a value that names the public address has no bytes."""
    address = Uri.parse(next(spelling for spelling in PUBLIC if spelling.startswith("https")))

    with pytest.raises(ValueError, match="public"):
        render.post(words.a_post(**{where: (address,)}))
    with pytest.raises(ValueError, match="public"):
        render.activity(words.a_create(words.a_comment(**{where: (address,)})))


def test_times_keep_their_milliseconds() -> None:
    """Whole seconds are written without a fraction, milliseconds with three digits, both in UTC."""
    paris = timezone(timedelta(hours=1))

    assert "2026-11-23T12:00:00Z" == render.write_time(words.NOON)
    assert "2026-11-23T12:00:00.007Z" == render.write_time(words.NOON.replace(microsecond=7000))
    assert "2026-11-23T11:00:00Z" == render.write_time(words.NOON.replace(tzinfo=paris))
    with pytest.raises(ValueError, match="zone"):
        render.write_time(datetime(2026, 1, 1))


def test_a_proof_travels_with_the_activity() -> None:
    """FEP-8b32: the proof stands in the activity, and its presence is seen when it is read."""
    body = render.activity(words.a_create(), proof={"type": "DataIntegrityProof"})
    found = parse.activity_document(strict_json(body))

    assert found.has_proof
    assert not parse.activity_document(strict_json(render.activity(words.a_create()))).has_proof


def test_one_key_stands_alone_and_two_in_a_list() -> None:
    """An actor shows one key as an object, as peers expect; a list only while a rotation needs two."""
    doctor = words.a_doctor()
    second = doctor.public_keys[0].__class__(id=Uri.parse(f"{words.ANNA}#next"), owner=words.ANNA, pem="x")
    both = words.a_doctor(public_keys=(*doctor.public_keys, second))

    assert isinstance(render.document(doctor)["publicKey"], dict)
    assert 2 == len(render.document(both)["publicKey"])  # type: ignore[arg-type]


def test_the_wire_has_the_form_of_the_design() -> None:
    """DESIGN section 4: the terms under which siblings look for things."""
    article = render.document(words.a_post())
    person = render.document(words.a_doctor())
    server = render.document(words.an_instance())

    assert {"de": article["content"]} == article["contentMap"]
    assert ("Article", "case", ["cardiology"]) == (article["type"], article["postKind"], article["specialty"])
    assert {"sharedInbox": f"{words.DE}/inbox"} == person["endpoints"]
    assert "Multikey" == person["assertionMethod"][0]["type"]  # type: ignore[index, call-overload]
    assert "https://datatracker.ietf.org/doc/html/rfc9421" == server["implements"][0]["href"]  # type: ignore[index, call-overload]


def test_collections_and_pages_are_ordered() -> None:
    """G5: a collection is an OrderedCollection, a page of it an OrderedCollectionPage that says what it is part of."""
    at = Uri.parse(f"{words.DE}/posts/01POST/context")
    page = render.collection(Uri.parse(f"{at}/page"), 2, [words.ANNA], part_of=at)

    assert "OrderedCollection" == orjson.loads(render.collection(at, 0))["type"]
    assert [] == orjson.loads(render.collection(at, 0))["orderedItems"]
    assert "OrderedCollectionPage" == orjson.loads(page)["type"]
    assert Collection(id=Uri.parse(f"{at}/page"), total=2, items=(words.ANNA,), part_of=at) == parse.collection_page(
        orjson.loads(page)
    )


def test_a_word_without_a_writer_does_not_exist() -> None:
    """Every activity of the vocabulary can be written."""
    assert set(Activity.__subclasses__()) <= render._WRITERS.keys()
    assert {"type": "Block"}.items() <= render.document(
        Ignored(id=words.ANNA, actor=words.ANNA, type_name="Block")
    ).items()
