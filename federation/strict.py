"""JSON read in the one way every parser would agree on. `parse` re-exports `strict_json`; nothing else reads bytes."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from federation.errors import Malformed, TooLarge
from federation.integrity import Json

MAX_BODY: Final = 262_144
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000


def strict_json(body: bytes, limit: int = MAX_BODY) -> dict[str, Json]:
    """Return the object; raise Malformed for what two parsers could read differently, TooLarge beyond the limit.

    UTF-8 without a mark, depth ≤ 32, ≤ 10,000 values, no duplicate key, no NaN or infinity, integers of at most
    64 bits, no lone surrogate, no NUL (RFC 8259 leaves each of these to the parser, RFC 7493 does not).
    """
    if len(body) > limit:
        raise TooLarge("a document beyond its limit")
    try:
        # orjson holds the grammar, UTF-8 and finite numbers; it keeps the last of two equal keys and rounds integers.
        document = orjson.loads(body)
        _bound(body, document)
        if not _is_own_spelling(body, document):
            _DECODER.decode(str(body, "utf-8"))
    except (ValueError, RecursionError):  # their messages quote the text, which must not reach a log
        raise Malformed("not strict JSON") from None
    if not isinstance(document, dict):
        raise Malformed("not an object")
    return document


def _is_own_spelling(body: bytes, document: Json) -> bool:
    """Whether writing the value gives these bytes again, as with all our siblings.

    What is written holds no key twice and no rounded number, so then these bytes do not either.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_STRICT_INTEGER) == body
    except TypeError:  # an integer beyond 53 bits
        return False


def _bound(body: bytes, document: Json) -> None:
    """Raise ValueError beyond depth and number; counted only where length or brackets leave a doubt."""
    # A value takes two bytes at least: itself and what parts it from the next.
    if len(body) >= 2 * MAX_VALUES or body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _count(document)
    if b"\\" in body and b"\\u0000" in body and _has_nul(document):
        raise ValueError("NUL")


def _count(document: Json) -> None:
    level: list[Any] = [document]
    seen = depth = 0
    while level:
        inner = [value for value in level if isinstance(value, dict | list)]
        seen, depth = seen + len(level), depth + 1
        if seen > MAX_VALUES or (inner and depth > MAX_DEPTH):
            raise ValueError("too deep or too wide")
        level = [child for value in inner for child in (value.values() if isinstance(value, dict) else value)]


def _has_nul(value: Json) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key twice")


def _integer(digits: str) -> None:
    if len(digits) > 18 and (len(digits) > 20 or not -(2**63) <= int(digits) < 2**63):
        raise ValueError("an integer beyond 64 bits")


# The second reading only judges; what it builds is thrown away.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer)
