"""Whatever stands where a credential should: a verdict, and never an accepted change."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from federation.integrity import Json, canonical
from tests.examples import examples
from tests.verification.helpers import GOOD, KNOWN, any_json, judge, lists, resigned
from verification.verdicts import Accepted, Deferred, Quarantined, Refused


@given(any_json)
def test_any_value_gets_a_verdict(document: Json) -> None:
    """Whatever stands where a credential should, the answer is a refusal with its code."""
    assert isinstance(judge(document), Refused)


@given(st.dictionaries(st.sampled_from([*GOOD, "signature"]), any_json, min_size=1))
def test_any_members_get_a_verdict(members: dict[str, Any]) -> None:
    """A good credential with anything in place of its members is never accepted unless nothing has changed."""
    changed = {**GOOD, **members}
    try:
        same = canonical(changed) == canonical(GOOD)
    except ValueError:
        same = False

    assert same == isinstance(judge(changed, stored=lists()), Accepted)


@settings(max_examples=examples(200))
@given(st.dictionaries(st.sampled_from([*GOOD["credentialSubject"], "credentialStatus", "validFrom"]), any_json))
def test_any_signed_members_get_a_verdict(members: dict[str, Any]) -> None:
    """Even an issuer that signs nonsense gets a verdict, never another exception."""
    outer = {name: members.pop(name) for name in ("credentialStatus", "validFrom") if name in members}
    try:
        document = resigned(GOOD, subject=members, **outer)
    except ValueError:  # what has no canonical bytes cannot be signed
        return

    verdict = judge(document, stored=lists())

    assert isinstance(verdict, Accepted | Refused | Quarantined | Deferred)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, child in inner for found in ((*path, name), *places(child, (*path, name)))]


def mutations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every single change: each place removed, replaced by each kind of value, wrapped, doubled; members added."""
    made = []
    for path in places(document):
        for label, change in CHANGES.items():
            copied = copy.deepcopy(document)
            parent: Any = copied
            for step in path[:-1]:
                parent = parent[step]
            change(parent, path[-1])
            made.append((f"{label} {'/'.join(map(str, path))}", copied))
    return made


def _set(value: Any) -> Any:
    return lambda parent, name: parent.__setitem__(name, value)


CHANGES: dict[str, Any] = {
    "removed": lambda parent, name: parent.__delitem__(name),
    "null": _set(None),
    "text": _set("changed"),
    "number": _set(1),
    "empty object": _set({}),
    "empty list": _set([]),
    "wrapped": lambda parent, name: parent.__setitem__(name, [parent[name]]),
    "longer": lambda parent, name: parent.__setitem__(
        name, parent[name] + "x" if isinstance(parent[name], str) else [parent[name], parent[name]]
    ),
    "neighbour added": lambda parent, name: (
        parent.append(parent[name]) if isinstance(parent, list) else parent.__setitem__(f"{name}2", parent[name])
    ),
}


def test_no_single_change_is_accepted() -> None:
    """Every place of a credential, changed in every way, is noticed: nothing in it is left unproved."""
    accepted = [
        label
        for label, changed in [*mutations(GOOD), ("signature", {**GOOD, "signature": {}})]
        if isinstance(judge(changed, stored=lists(), memory=KNOWN), Accepted)
    ]

    assert [] == accepted


def test_the_unchanged_credential_is_accepted() -> None:
    """The twin, without which the walk over changes would prove nothing."""
    assert isinstance(judge(copy.deepcopy(GOOD), stored=lists(), memory=KNOWN), Accepted)
