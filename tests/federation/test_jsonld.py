"""Meaning: the fast path says what JSON-LD says, nothing is fetched, nothing changes a word of ours."""

from __future__ import annotations

import copy
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation import jsonld, parse, render
from federation.errors import Malformed, Refused, UnknownContext
from federation.jsonld import CONTEXT, SHIPPED, compacted, meaning
from tests.examples import examples
from tests.federation import words
from tests.federation.vectors import VECTORS, vector_files, vector_name

_PROBES = {
    "gotosocial.org__ns": "https://gotosocial.org/ns",
    "w3id.org__fep__7aa9": "https://w3id.org/fep/7aa9",
    "w3id.org__fep__ef61": "https://w3id.org/fep/ef61",
    "w3id.org__identity__v1": "https://w3id.org/identity/v1",
    "w3id.org__security__data-integrity__v1": "https://w3id.org/security/data-integrity/v1",
    "w3id.org__security__data-integrity__v2": "https://w3id.org/security/data-integrity/v2",
    "w3id.org__security__multikey__v1": "https://w3id.org/security/multikey/v1",
    "w3id.org__security__v1": "https://w3id.org/security/v1",
    "www.w3.org__ns__activitystreams": "https://www.w3.org/ns/activitystreams",
    "www.w3.org__ns__did__v1": "https://www.w3.org/ns/did/v1",
}


def _expanded(context: Any, document: dict[str, Any]) -> Any:
    pyld, loader = jsonld._pyld()
    return pyld.expand({"@context": context, **document}, {"documentLoader": loader})


def _probe(context: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """A document that uses every term of a context once, also those of its scoped contexts."""
    probe: dict[str, Any] = {}
    for term, definition in context.items():
        if term.startswith("@") or definition in ("@id", "@type"):
            continue
        scoped = definition.get("@context") if isinstance(definition, dict) else None
        if term[0].isupper():
            inner = _probe(scoped, depth + 1) if isinstance(scoped, dict) else {}
            probe.setdefault("x:typed", []).append({"type": [term], "x:inner": term, **inner})
        elif isinstance(definition, dict) and definition.get("@container") == "@language":
            probe[term] = {"fr": "mot"}
        else:
            probe[term] = "https://a.example/1"
    return probe


@pytest.mark.parametrize("path", vector_files("contexts"), ids=vector_name)
def test_shipped_contexts_define_what_the_originals_define(path: Path) -> None:
    """Every term of a published context expands under our file exactly as under the original."""
    original = json.loads(path.read_text())["@context"]
    probe = _probe(original)
    prefix = {"x": "https://x.example/"}

    # The context goes last, inline: so one prefix can be added to both.
    ours = json.loads(SHIPPED[_PROBES[path.stem]].read_text())["@context"]

    assert _expanded([prefix, original], probe) == _expanded([prefix, ours], probe)


@given(words.activities | words.things)
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_the_fast_path_says_what_json_ld_says(word: Any) -> None:
    """For every word we can write, reading it as it stands and reading it through JSON-LD give the same."""
    document = orjson.loads(orjson.dumps(render.document(word)))

    assert document is meaning(document)
    assert word == _read(document)
    assert word == _read(compacted(document), document)


_ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(0, 2),
    st.sampled_from(
        [
            "",
            "x",
            "as:Public",
            "Public",
            "Note",
            "Foo",
            "id",
            "name",
            "CryptographicKey",
            "as:Create",
            "@id",
            "_:b0",
            "./x",
            "a/../Note",
            "http://x",
            "https://de.esanum.example/1",
            [],
            {},
            [[]],
            [None],
            ["https://de.esanum.example/1", "https://de.esanum.example/1"],
            {"id": "https://de.esanum.example/1"},
            {"id": "https://de.esanum.example/1", "name": "y"},
            {"@value": "x"},
            {"@value": "x", "@language": "fr"},
            {"@list": ["https://de.esanum.example/1"]},
            {"fr": "x"},
            {"FR": "x", "fr": "y"},
            {"type": "Mention", "href": "https://de.esanum.example/1", "foo": 1},
            {"type": "Note", "id": "https://de.esanum.example/1"},
            [{"type": ["Mention", "Link"]}, "x"],
            "2026-01-01T00:00:00Z",
        ]
    ),
)
_CONTEXT_TERMS = {term for address in CONTEXT for term in json.loads(SHIPPED[address].read_text())["@context"]}
_KEYS = sorted({*jsonld._TERMS, *_CONTEXT_TERMS, "foo", "proof", "as:name", "@type", "@id"})


@given(words.activities | words.things, st.lists(st.tuples(st.booleans(), st.sampled_from(_KEYS), _ODD), max_size=3))
@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
def test_both_paths_agree_on_odd_documents(word: Any, changes: list[tuple[bool, str, Any]]) -> None:
    """Whatever is put in place of a value, both paths read the same or both refuse."""
    document = orjson.loads(orjson.dumps(render.document(word)))
    for deep, key, value in changes:
        target = document["object"] if deep and isinstance(document.get("object"), dict) else document
        target[key] = copy.deepcopy(value)

    fast, slow = _outcome(meaning, document), _outcome(compacted, document)

    assert slow == fast


@pytest.mark.parametrize("path", vector_files("activities"), ids=vector_name)
def test_both_paths_agree_on_the_documents_of_other_servers(path: Path) -> None:
    """Documents of other servers, read as if they carried our context, mean the same on both paths."""
    document = json.loads(path.read_text())
    if not isinstance(document, dict):
        pytest.skip("not an object")
    document["@context"] = list(CONTEXT)

    assert _outcome(compacted, document) == _outcome(meaning, document)


def _outcome(reader: Any, document: dict[str, Any]) -> Any:
    try:
        return _read(reader(document), document)
    except Refused:
        return Refused


def _read(node: dict[str, Any], source: dict[str, Any] | None = None) -> Any:
    """What parse makes of a node, whichever word it is."""
    name = parse.type_of(node)
    if name in parse.READERS:
        return parse._not_public(node, parse.READERS[name])
    found, objection = parse._activity(source or node, node)
    parse._origins(node)
    return found if objection is None else type(objection)


@pytest.mark.parametrize(
    "context",
    [
        "https://stranger.example/context",
        ["https://www.w3.org/ns/activitystreams", "http://169.254.169.254/latest"],
        "file:///etc/passwd",
        None,
        [],
        [None],
        7,
        [["https://www.w3.org/ns/activitystreams"]],
        ["https://www.w3.org/ns/activitystreams"] * 17,
    ],
)
def test_a_context_that_is_not_shipped_is_refused(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A76: nothing is fetched; the document is refused as unknown_context."""
    monkeypatch.setattr(socket, "socket", _no_socket)
    monkeypatch.setattr(socket, "getaddrinfo", _no_socket)
    document = {**render.document(words.a_create()), "@context": context}

    with pytest.raises(UnknownContext):
        meaning(document)


def _no_socket(*_: object, **__: object) -> None:
    raise AssertionError("a socket was asked for")


@pytest.mark.parametrize(
    "inline",
    [
        {"content": "https://www.w3.org/ns/activitystreams#summary"},
        {"actor": {"@id": "https://www.w3.org/ns/activitystreams#attributedTo", "@type": "@id"}},
        {"as": "https://stranger.example/ns#"},
        {"Public": "https://stranger.example/ns#Nobody"},
        {"proof": "https://stranger.example/ns#proof"},
        {"me": "@id"},
        {"kind": "@type"},
        {"members": "@graph"},
        {"more": "@included"},
        {"under": "@nest"},
        {"by": {"@reverse": "https://www.w3.org/ns/activitystreams#actor"}},
        {"x": {"@id": "https://stranger.example/x", "@context": {"content": None}}},
        {"x": {"@id": "https://stranger.example/x", "@container": "@graph"}},
        {"@vocab": "https://stranger.example/"},
        {"@base": "https://stranger.example/"},
        {"@language": "und"},
        {"@import": "https://stranger.example/"},
        {"x": None},
        {f"x{n}": "https://stranger.example/x" for n in range(129)},
    ],
)
def test_a_context_that_changes_a_word_is_refused(inline: dict[str, Any]) -> None:
    """A77: an inline context may add words; it may not touch ours, nor name keywords."""
    document = {**render.document(words.a_create()), "@context": [*CONTEXT, inline]}

    with pytest.raises(UnknownContext):
        meaning(document)


@pytest.mark.parametrize("key", ["@graph", "@included", "@reverse", "@nest"])
@pytest.mark.parametrize("deep", [False, True])
def test_keywords_that_regroup_are_refused(key: str, deep: bool) -> None:
    """A77: no keyword moves a value from where it stands, at any depth."""
    document: dict[str, Any] = render.document(words.a_create())
    (document["object"] if deep else document)[key] = [{"actor": str(words.MARIE)}]

    with pytest.raises(UnknownContext):
        meaning(document)


def test_a_context_below_is_not_a_way_around() -> None:
    """A77: a nested context that renames content is refused; one that only repeats ours is read."""
    renamed: dict[str, Any] = render.document(words.a_create())
    renamed["object"]["@context"] = {"content": "https://www.w3.org/ns/activitystreams#summary"}
    repeated: dict[str, Any] = render.document(words.a_create())
    repeated["object"]["@context"] = list(CONTEXT)

    with pytest.raises(UnknownContext):
        meaning(renamed)
    assert words.a_create() == parse.activity_document(repeated)


def test_added_words_are_let_through() -> None:
    """The twin: an inline context with new words, as other servers send it, is understood and its words ignored."""
    document = {
        **render.document(words.a_create()),
        "@context": [*CONTEXT, {"toot": "http://joinmastodon.org/ns#", "sensitive": "as:sensitive"}],
        "sensitive": True,
        "toot:votersCount": 3,
    }

    assert words.a_create() == parse.activity_document(document)


def test_full_names_mean_what_short_names_mean() -> None:
    """Expanded spellings of our words are read as JSON-LD defines them."""
    document: dict[str, Any] = render.document(words.a_create())
    document["as:actor"] = {"@id": document.pop("actor")}
    document["@type"] = "https://www.w3.org/ns/activitystreams#" + document.pop("type")

    assert words.a_create() == parse.activity_document(document)


def test_without_a_context_the_normative_one_is_read() -> None:
    """AS2 core 2.1: a Follow without @context is a Follow; our own terms have no meaning then."""
    follow = {
        "id": f"{words.FR}/activities/1",
        "type": "Follow",
        "actor": str(words.MARIE),
        "object": str(words.ANNA),
        "postKind": "case",
    }

    assert words.ANNA == parse.activity_document(follow).object  # type: ignore[union-attr]
    assert "postKind" not in meaning(follow)


def test_proofs_and_credentials_are_none_of_json_lds_business() -> None:
    """A proof and a credential carry contexts of their own; neither ends the fast path nor is looked at."""
    document: dict[str, Any] = render.document(words.a_doctor())
    document["proof"] = {"@context": "https://stranger.example/", "type": "DataIntegrityProof"}

    assert document is meaning(document)
    assert words.a_doctor() == parse.doctor(document)
    assert words.a_doctor().credential == compacted(document)["doctorCredential"]


def test_nothing_is_fetched_even_behind_our_back() -> None:
    """The loader is ours wherever pyld is called in this process, and refuses what is not shipped."""
    code = (
        "import socket\n"
        "def no(*a, **k): raise SystemExit('a socket')\n"
        "socket.socket.connect = no\nsocket.getaddrinfo = no\n"
        "from federation import jsonld\n"
        "import sys\n"
        "assert 'pyld' not in sys.modules\n"
        "jsonld.compacted({'@context': 'https://www.w3.org/ns/activitystreams', 'type': 'Note'})\n"
        "from pyld import jsonld as pyld\n"
        "try:\n    pyld.expand({'@context': 'https://stranger.example/c', 'a': 1})\n"
        "except pyld.JsonLdError as e:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert ("refused\n", 0) == (done.stdout, done.returncode), done.stderr


def test_a_clique_of_blank_nodes_costs_nothing() -> None:
    """A75: a graph made to blow up canonicalisation is read in under 100 ms, because nothing is canonicalised."""
    names = [f"_:b{n}" for n in range(9)]
    document = {
        **render.document(words.a_create()),
        "foo": [{"id": name, "icon": [other for other in names if other != name]} for name in names],
    }
    jsonld._pyld()
    meaning(render.document(words.a_create()) | {"as:x": 1})
    start = time.perf_counter()
    try:
        meaning(document)
    except Refused:
        pass

    assert time.perf_counter() - start < 0.1


def test_wrong_types_are_malformed() -> None:
    """A74: a term that holds another JSON type is malformed on both paths, never a guess."""
    for key, value in (("actor", 5), ("published", 3), ("to", True), ("type", None), ("id", ["x"])):
        with pytest.raises(Malformed):
            meaning({**render.document(words.a_create()), key: value})
        with pytest.raises(Malformed):
            compacted({**render.document(words.a_create()), key: value})


def test_the_wheel_holds_every_context() -> None:
    """Every address that may be named has its file, and each file is a context."""
    for path in SHIPPED.values():
        assert {"@context"} == json.loads(path.read_text()).keys()
    assert set(CONTEXT) <= SHIPPED.keys()
    if VECTORS.is_dir():
        assert set(_PROBES.values()) <= SHIPPED.keys()
