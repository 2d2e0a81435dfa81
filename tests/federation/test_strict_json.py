"""One reading of the bytes: what two parsers could read differently is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.errors import Malformed, Refused, TooLarge
from federation.parse import strict_json
from federation.strict import MAX_BODY, MAX_DEPTH, MAX_VALUES
from tests.federation.vectors import vector_files, vector_name

#: Valid JSON that two parsers read differently: a key twice (2), NUL (2).
_REFUSED = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    "y_object_escaped_null_in_key.json",
    "y_string_null_escape.json",
}


@pytest.mark.parametrize("path", vector_files("json", "y_*.json"), ids=vector_name)
def test_valid_json_is_accepted_but_for_four(path: Path) -> None:
    """Every file of the public suite, as the value of one member, is read; exactly four are refused."""
    body = b'{"value": ' + path.read_bytes() + b"}"

    if path.name in _REFUSED:
        with pytest.raises(Malformed):
            strict_json(body)
    else:
        assert json.loads(body) == strict_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"{}{}",
        b"{} x",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 01}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": [{"b": 1, "b": 2}]}',
        b'{"a": 9223372036854775808}',
        b'{"a": -9223372036854775809}',
        b'{"a": 18446744073709551615}',
        b'{"a": 18446744073709551616}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xff"}',
        b'{"a": "\\u0000"}',
        b'{"a": "\x00"}',
        b'{"\\u0000": 1}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32"),
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} // x',
    ],
)
def test_other_spellings_are_malformed(body: bytes) -> None:
    """A74: duplicate keys, NaN, 1e400, UTF-16, a byte order mark, big integers, lone surrogates, NUL: malformed."""
    with pytest.raises(Malformed):
        strict_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b" \r\n\t{ } \n", {}),
        (b'{"a": 9223372036854775807}', {"a": 2**63 - 1}),
        (b'{"a":-9223372036854775808}', {"a": -(2**63)}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": 1e2, "b": -0, "c": 0.1}', {"a": 100.0, "b": 0, "c": 0.1}),
    ],
)
def test_what_is_unambiguous_is_read(body: bytes, value: Any) -> None:
    """The twin: every spelling with one meaning is read."""
    assert value == strict_json(body)


def test_depth_is_bounded() -> None:
    """A72: 32 levels are read, one more is malformed, and a thousand cost no time."""
    deepest = b'{"a":' * (MAX_DEPTH - 1) + b"{}" + b"}" * (MAX_DEPTH - 1)

    assert strict_json(deepest)
    for levels in (MAX_DEPTH + 1, 1_000, 40_000):
        with pytest.raises(Malformed):
            strict_json(b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}")
    with pytest.raises(Malformed):
        strict_json(b'{"a":' * MAX_DEPTH + b"[]" + b"}" * MAX_DEPTH)


def test_width_is_bounded() -> None:
    """A73: 10,000 values are read; more are malformed, in far less than two seconds."""
    start = time.perf_counter()
    assert strict_json(b'{"a":[' + b",".join([b"1"] * (MAX_VALUES - 2)) + b"]}")
    with pytest.raises(Malformed):
        strict_json(b'{"a":[' + b",".join([b"1"] * (MAX_VALUES - 1)) + b"]}")
    with pytest.raises(Malformed):
        strict_json(b"{" + b",".join(b'"%d":0' % n for n in range(20_000)) + b"}")

    assert time.perf_counter() - start < 1


def test_size_is_bounded() -> None:
    """A body beyond 256 KiB is too_large, whatever it holds; a caller may allow more."""
    body = b'{"a":"' + b"x" * MAX_BODY + b'"}'

    with pytest.raises(TooLarge):
        strict_json(body)
    assert strict_json(body, limit=2 * MAX_BODY)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # no lone surrogates, no NUL
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abc"), _json))
@settings(deadline=None)
def test_every_spelling_of_a_value_is_read_alike(value: dict[str, Any]) -> None:
    """Our own spelling and every other writer's give the same value."""
    expected = orjson.loads(orjson.dumps(value))

    assert expected == strict_json(orjson.dumps(value))
    assert expected == strict_json(json.dumps(value, indent=1).encode())


@given(st.binary(max_size=80) | st.text(alphabet='{}[]",:0123456789.eE+-\\unaltrfs \n\x00é').map(str.encode))
def test_whatever_arrives_is_read_or_refused(body: bytes) -> None:
    """No bytes raise anything but a refusal."""
    try:
        assert isinstance(strict_json(body), dict)
    except Refused:
        pass
