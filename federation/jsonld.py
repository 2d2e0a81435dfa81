"""What a document means, decided by JSON-LD and answered in this room's own terms. The only user of pyld.

    meaning   a strict JSON document ─▶ the same with every term in the spelling that `parse` reads
    CONTEXT   the contexts we send; a document that carries exactly these is read as it stands (the fast path)

Nothing is ever fetched: the contexts are files of this package. A context may add words; one that gives a word of
ours another meaning, or keywords that regroup a document, is refused. Equality of the two paths is a property test.
Proofs and opaque values (a credential, coded facts) are not part of what is looked at: they are read as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from federation.errors import Malformed, UnknownContext
from federation.integrity import Json
from federation.vocabulary import ACTIVITYSTREAMS, NAMESPACE

_HERE: Final = Path(__file__).resolve().parent / "contexts"

#: Every context that may be named, and the file that says what it defines.
SHIPPED: Final[Mapping[str, Path]] = {
    address: _HERE / f"{file}.json"
    for address, file in (
        (ACTIVITYSTREAMS, "activitystreams"),
        (NAMESPACE, "federation-v1"),
        ("https://w3id.org/security/v1", "security-v1"),
        ("https://w3id.org/security/data-integrity/v1", "data-integrity-v1"),
        ("https://w3id.org/security/data-integrity/v2", "data-integrity-v2"),
        ("https://w3id.org/security/multikey/v1", "multikey-v1"),
        ("https://www.w3.org/ns/did/v1", "did-v1"),
        ("https://www.w3.org/ns/cid/v1", "cid-v1"),
        ("https://purl.archive.org/socialweb/webfinger", "webfinger"),
        ("https://w3id.org/fep/844e", "fep-844e"),
        ("https://w3id.org/fep/7aa9", "fep-7aa9"),
        ("https://w3id.org/fep/ef61", "fep-ef61"),
        ("https://w3id.org/identity/v1", "identity-v1"),
        ("https://gotosocial.org/ns", "gotosocial"),
    )
}

#: What every document of ours begins with. FEP-521a names the did and multikey contexts, FEP-2c59 that of webfinger.
CONTEXT: Final[tuple[str, ...]] = (
    ACTIVITYSTREAMS,
    "https://w3id.org/security/v1",
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/data-integrity/v2",
    "https://w3id.org/security/multikey/v1",
    "https://purl.archive.org/socialweb/webfinger",
    "https://w3id.org/fep/844e",
    NAMESPACE,
)
_KNOWN: Final[list[Json]] = list(CONTEXT)

_AS: Final = ACTIVITYSTREAMS + "#"
_NS: Final = NAMESPACE + "#"
_SEC: Final = "https://w3id.org/security#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"


def words(text: str) -> frozenset[str]:
    """Return the words of a text; it keeps the tables of names here and in `parse` legible."""
    return frozenset(text.split())


#: The activities of ActivityStreams 2.0, and ours.
ACTIVITY_TYPES: Final = words(
    "Accept Add Announce Arrive Block Create Delete Dislike EraseReceipt Flag Follow Ignore Invite Join Leave Like"
    " Listen Move Offer Question Read Reject Remove TentativeAccept TentativeReject Travel Undo Update View"
)
_OTHER_TYPES: Final = words(
    "Application Article Collection CollectionPage Group Mention Note OrderedCollection OrderedCollectionPage"
    " Organization Person Service Tombstone"
)


# What may stand as the value of a term. Plain numbers: they are compared for every member of every message.
_TYPE: Final = 1
_ADDRESS: Final = 2
_TEXT: Final = 3
_TIME: Final = 4
_COUNT: Final = 5
_BY_LANGUAGE: Final = 6
#: An object, read as sent; its inside is none of JSON-LD's business.
_OPAQUE: Final = 7
#: Proofs and linked-data signatures, which are checked on the raw document or not at all.
_LEFT_OUT: Final = 8


def _terms(form: int, space: str, names: str, **more: str) -> Iterator[tuple[str, tuple[int, dict[str, str]]]]:
    for name in names.split():
        yield name, (form, {"@id": space + name, **more})


#: The terms `parse` reads, with their meaning: the one table behind both paths.
_TERMS: Final[Mapping[str, tuple[int, dict[str, str]]]] = dict(
    (
        *_terms(
            _ADDRESS,
            _AS,
            "actor object attributedTo to cc bto bcc audience inReplyTo context tag attachment href url outbox"
            " followers following endpoints sharedInbox first next partOf items alsoKnownAs movedTo oneOf anyOf replies"
            " target",
            **{"@type": "@id"},
        ),
        *_terms(_ADDRESS, "http://www.w3.org/ns/ldp#", "inbox", **{"@type": "@id"}),
        *_terms(_ADDRESS, _SEC, "publicKey owner assertionMethod controller", **{"@type": "@id"}),
        *_terms(_ADDRESS, _NS, "issuerKey poll", **{"@type": "@id"}),
        ("orderedItems", (_ADDRESS, {"@id": _AS + "items", "@type": "@id", "@container": "@list"})),
        (
            "implements",
            (_ADDRESS, {"@id": "https://w3id.org/fep/844e/implements", "@type": "@id", "@container": "@list"}),
        ),
        *_terms(_TEXT, _AS, "name content summary preferredUsername source"),
        *_terms(_TEXT, _SEC, "publicKeyPem"),
        *_terms(_TEXT, _SEC, "publicKeyMultibase", **{"@type": _SEC + "multibase"}),
        *_terms(_TEXT, "https://purl.archive.org/socialweb/webfinger#", "webfinger", **{"@type": _XSD + "string"}),
        *_terms(
            _TEXT,
            _NS,
            "postKind noteKind specialty askedCountry sourceLink doi event eventPlace eventFrom eventUntil language"
            " country contact software reason",
        ),
        *_terms(_TIME, _AS, "published updated deleted endTime closed", **{"@type": _XSD + "dateTime"}),
        *_terms(_COUNT, _AS, "totalItems", **{"@type": _XSD + "nonNegativeInteger"}),
        *(
            (f"{name}Map", (_BY_LANGUAGE, {"@id": _AS + name, "@container": "@language"}))
            for name in ("content", "name", "summary")
        ),
        *_terms(
            _OPAQUE,
            _NS,
            "doctorCredential clinicalSummary consent screening citation conflictOfInterest resolution"
            " votesBySpecialty",
            **{"@type": "@json"},
        ),
        ("formerType", (_TYPE, {"@id": _AS + "formerType", "@type": "@id"})),
    )
)
_FORMS: Final[Mapping[str, int]] = {
    **{name: form for name, (form, _) in _TERMS.items()},
    "id": _ADDRESS,
    "type": _TYPE,
    "proof": _LEFT_OUT,
    "signature": _LEFT_OUT,
}
_TYPES: Final[Mapping[str, str]] = {
    **{name: _AS + name for name in (*ACTIVITY_TYPES, *_OTHER_TYPES)},
    "EraseReceipt": _NS + "EraseReceipt",
    "Multikey": _SEC + "Multikey",
}
#: What pyld compacts to. It has no prefixes, so an address stays whole.
_READING: Final[dict[str, Any]] = {
    "id": "@id",
    "type": "@type",
    **_TYPES,
    **{name: definition for name, (_, definition) in _TERMS.items()},
}
_HTTP: Final = ("https://", "http://")
_NOT_TEXT: Final = frozenset({_COUNT, _BY_LANGUAGE, _OPAQUE})
_NEVER_NULL: Final = frozenset({"id", "type"})
#: Names an inline context must leave alone: our terms, and the prefixes the shipped contexts rely on.
_RESERVED: Final = frozenset(_READING) | {"as", "sec", "xsd", "ldp", "vcard", "proof", "signature", "Public"}
#: What relative addresses are relative to: a place that is no address, so that none of them becomes one.
_BASE: Final = "relative://nowhere/"
_REGROUPING: Final = frozenset({"@graph", "@included", "@reverse", "@nest"})
_MAX_CONTEXTS: Final = 16
_MAX_INLINE_TERMS: Final = 128
#: Faults in a value; every other fault of pyld is one of the context.
_VALUE_FAULTS: Final = frozenset(
    {
        "colliding keywords",
        "conflicting indexes",
        "invalid @id value",
        "invalid @index value",
        "invalid language map value",
        "invalid language-tagged string",
        "invalid language-tagged value",
        "invalid set or list object",
        "invalid type value",
        "invalid typed value",
        "invalid value object",
        "invalid value object value",
        "list of lists",
    }
)


def meaning(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return the document in our terms; raise UnknownContext or Malformed.

    Scalars, lists of one and nulls are as good as each other afterwards: read them with `as_list` and `one`.
    """
    if document.get("@context") == _KNOWN and _is_plain(document, top=True):
        return cast("dict[str, Json]", document)
    return compacted(document)


def compacted(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return the document in our terms as JSON-LD defines them: the slow path, and the measure of the fast one."""
    # AS2 core section 2.1: a document without a context is read under the normative one.
    context = document.get("@context", ACTIVITYSTREAMS)
    _require_harmless(context)
    _is_plain(document, top=True)
    return _compact({"@context": context, **{k: v for k, v in document.items() if k != "@context"}})


# ── the look every document gets ──


def _is_plain(node: Mapping[str, Json], top: bool = False) -> bool:
    """Whether every key and value means what it says; raise Malformed where a term of ours holds another JSON type."""
    plain = True
    for key, value in node.items():
        form = _FORMS.get(key)
        if form is None:
            plain &= _is_plain_unknown(key, value, top)
        elif isinstance(value, str):
            if form == _ADDRESS:
                plain &= value.startswith(_HTTP)
            elif form == _TYPE:
                plain &= _is_word(value)
            elif form in _NOT_TEXT:
                _refuse_form(key)
        elif value is not None:
            plain &= _is_plain_value(key, value, form)
        elif key in _NEVER_NULL:
            _refuse_form(key)
    return plain


def _is_plain_unknown(key: str, value: Json, top: bool) -> bool:
    """The same for a key that is no term of ours: never read, but what is below it may be a trap for JSON-LD."""
    if key[:1] == "@":
        if key in _REGROUPING:
            raise UnknownContext(f"{key} regroups the document")
        if key == "@context" and not top:
            _require_harmless(value)
        return key == "@context" and top
    plain = ":" not in key
    if isinstance(value, dict):
        plain &= _is_plain(value)
    elif isinstance(value, list):
        plain &= _are_plain(value)
    return plain


def _are_plain(values: list[Json]) -> bool:
    plain = True
    for value in values:
        if isinstance(value, dict):
            plain &= _is_plain(value)
        elif isinstance(value, list):
            _are_plain(value)
            plain = False
    return plain


def _is_plain_value(key: str, value: Json, form: int) -> bool:
    """The same for a term of ours whose value is neither a text nor null."""
    if isinstance(value, list):
        return _is_plain_list(key, value, form)
    if isinstance(value, dict):
        return _is_plain_object(key, value, form)
    # A number or a truth value.
    return form == _LEFT_OUT or (form == _COUNT and type(value) is int) or _refuse_form(key)


def _is_plain_list(key: str, values: list[Json], form: int) -> bool:
    if form == _LEFT_OUT:
        return True
    if form in _NOT_TEXT or key == "id":
        return _refuse_form(key)
    plain = True
    for value in values:
        if isinstance(value, str):
            plain &= value.startswith(_HTTP) if form == _ADDRESS else form != _TYPE or _is_word(value)
        elif isinstance(value, dict) and form == _ADDRESS:
            plain &= _is_plain(value)
        elif value is not None or form == _TYPE:
            _refuse_form(key)
    return plain


def _is_plain_object(key: str, value: dict[str, Json], form: int) -> bool:
    if form == _ADDRESS and key != "id":
        return _is_plain(value)
    if form == _BY_LANGUAGE:
        return all(len(tag) == 2 and tag.isascii() and tag.islower() and isinstance(v, str) for tag, v in value.items())
    if form in (_TEXT, _TIME):  # a value object, perhaps: JSON-LD knows
        _is_plain(value)
        return False
    return form in (_OPAQUE, _LEFT_OUT) or _refuse_form(key)


def _is_word(text: str) -> bool:
    if not text:
        raise Malformed("an empty type")
    return text.isalnum() and text.isascii() and text[0].isupper()


def _refuse_form(key: str) -> bool:
    raise Malformed(f"{key} holds another type of value")


# ── contexts ──


def _require_harmless(context: Json) -> None:
    """Let shipped contexts and added words through; raise UnknownContext for everything else."""
    entries = context if isinstance(context, list) else [context]
    if not 0 < len(entries) <= _MAX_CONTEXTS:
        raise UnknownContext("no context, or too many")
    for entry in entries:
        if isinstance(entry, dict):
            _require_additions(entry)
        elif not isinstance(entry, str) or entry not in SHIPPED:
            raise UnknownContext("a context that is not shipped")


def _require_additions(context: Mapping[str, Json]) -> None:
    if len(context) > _MAX_INLINE_TERMS:
        raise UnknownContext("too many inline terms")
    for name, definition in context.items():
        if name.startswith("@") or name in _RESERVED:
            raise UnknownContext("an inline context changes a word of ours")
        parts = {"@id": definition} if isinstance(definition, str) else definition
        if not isinstance(parts, dict) or not parts.keys() <= {"@id", "@type", "@container"}:
            raise UnknownContext("an inline definition of a kind not allowed")
        if str(parts.get("@id", "")).startswith("@") or parts.get("@container", "@set") not in _CONTAINERS:
            raise UnknownContext("an inline alias of a keyword, or a regrouping container")


_CONTAINERS: Final = ("@set", "@list", "@language")


# ── pyld ──


@cache
def _pyld() -> tuple[ModuleType, Any]:
    """Import pyld when it is first needed (a quarter of a second, and siblings never need it)."""
    from pyld import FrozenDocumentLoader, jsonld  # type: ignore[import-untyped]

    loader = FrozenDocumentLoader(documents=SHIPPED)
    # Without a loader of ours pyld would fetch; set here, so that no call anywhere can forget it.
    jsonld.set_document_loader(loader)
    return jsonld, loader


def _compact(document: Mapping[str, Json]) -> dict[str, Json]:
    jsonld, loader = _pyld()
    try:
        return cast(
            "dict[str, Json]",
            jsonld.compact(_without_proofs(document), _READING, {"documentLoader": loader, "base": _BASE}),
        )
    except jsonld.JsonLdError as fault:
        if _codes(fault) & _VALUE_FAULTS:
            raise Malformed("a value that JSON-LD refuses") from None
        raise UnknownContext("JSON-LD refuses the context") from None
    except Exception:  # pyld assumes much about what it is given; whatever it trips over is no document of ours
        raise Malformed("a document that JSON-LD cannot process") from None


def _without_proofs(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: item if _FORMS.get(key) == _OPAQUE else _without_proofs(item)
            for key, item in value.items()
            if _FORMS.get(key) != _LEFT_OUT
        }
    return [_without_proofs(item) for item in value] if isinstance(value, list) else value


def _codes(fault: BaseException | None) -> frozenset[str]:
    """The codes of a fault and of those it was made of."""
    if fault is None:
        return frozenset()
    return frozenset({str(getattr(fault, "code", ""))}) | _codes(getattr(fault, "cause", None) or fault.__cause__)


# ── reading values ──


def as_list(value: Json) -> list[Json]:
    """Return the values of a term: a scalar is a list of one, null is none."""
    if value is None:
        return []
    return [item for item in value if item is not None] if isinstance(value, list) else [value]


def one(value: Json) -> Json:
    """Return the single value, or None where there is none; raise Malformed where there are several."""
    if not isinstance(value, list):
        return value
    values = as_list(value)
    if len(values) > 1:
        raise Malformed("several values where one is meant")
    return values[0] if values else None
