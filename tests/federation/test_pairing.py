"""Pairing as a protocol: one table of moves, and messages that are read or refused, never anything else."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import pairing, render, signatures
from federation.errors import PairingOver, Refused
from federation.keys import make_ed25519, make_rsa
from federation.pairing import MAX_BODY, MOVES, OPEN, Event, Message, State, Verb, moved
from federation.signatures import Profile, SignedMessage
from federation.uri import Uri
from federation.vocabulary import Instance, KeyDocument, Multikey

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
ACTOR = Uri.parse("https://it.example/actor")
RSA = make_rsa(Uri.parse(f"{ACTOR}#main-key"), ACTOR, 2048)
ED25519 = make_ed25519(Uri.parse(f"{ACTOR}#ed25519-key"), ACTOR)
SEES = "sha256:" + "ab" * 32
NAME = "01hf0000000000000000000000"


def document() -> bytes:
    """The instance actor of the sender."""
    rsa, ed25519 = RSA.public(), ED25519.public()
    return render.instance(
        Instance(
            id=ACTOR, name="Instance it", inbox=Uri.parse("https://it.example/inbox"),
            outbox=Uri.parse("https://it.example/outbox"), country="IT",
            public_keys=(KeyDocument(id=rsa.id, owner=ACTOR, pem=rsa.pem),),
            assertion_methods=(Multikey(id=ed25519.id, controller=ACTOR, key=ed25519.multikey),),
        )
    )  # fmt: skip


def signed(body: bytes, profile: Profile = Profile.CAVAGE) -> SignedMessage:
    """The message as the door has it."""
    url = pairing.address("https://fr.example", "https://it.example")
    key = RSA if profile is Profile.CAVAGE else ED25519
    headers = signatures.sign("POST", url, body, key, profile, NOW, content_type=pairing.JSON)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    return SignedMessage.from_raw("POST", url.origin, url.target, raw).with_body(body)


def read(message: SignedMessage, host: str = "it.example") -> Message:
    """Both halves of the reading."""
    pairing.require_form(message)
    claim = pairing.claimed(message, host, "https://fr.example", NOW, WINDOW)
    return pairing.read(message, claim, NOW, WINDOW)


# ── the table ──


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_the_table_is_all_there_is(state: State, event: Event) -> None:
    """Every pair moves as the table says, or is over."""
    after = MOVES[state].get(event)
    if after is not None:
        assert after is moved(state, event)
        return
    with pytest.raises(PairingOver):
        moved(state, event)


def test_nobody_is_admitted_by_one_side() -> None:
    """Active is reached from one side's confirmation by the other's, and in no other way."""
    ways = {(state, event) for state, moves in MOVES.items() for event, after in moves.items() if after is State.ACTIVE}

    assert {(State.CONFIRMED_HERE, Event.CONFIRM_THERE), (State.CONFIRMED_THERE, Event.CONFIRM_HERE)} == ways


def test_what_is_over_stays_over() -> None:
    """Final states are left by nothing; every open one can end by time and from the other side."""
    assert [State.DECLINED, State.WITHDRAWN, State.EXPIRED] == [state for state in State if not MOVES[state]]
    assert set(State) - {State.ACTIVE, State.DECLINED, State.WITHDRAWN, State.EXPIRED} == OPEN
    for state in OPEN:
        assert {Event.EXPIRE, Event.DECLINE_THERE, Event.WITHDRAW_THERE} <= MOVES[state].keys()


# ── messages ──

_INTEGERS = st.integers(-(2**63), 2**63 - 1)


def _nested(each: Any) -> Any:
    members = st.sampled_from(["pairing", "name", "sees", "actor", "type", "id"])
    return st.lists(each, max_size=3) | st.dictionaries(members, each, max_size=6)


@pytest.mark.parametrize(("verb", "profile"), list(itertools.product(Verb, Profile)))
def test_what_is_written_is_read(verb: Verb, profile: Profile) -> None:
    """Under both profiles, with the key that signed."""
    message = read(signed(pairing.write(verb, NAME, SEES, document()), profile))

    assert (verb, NAME, SEES, ACTOR) == (message.verb, message.name, message.sees, message.instance.id)
    assert (RSA if profile is Profile.CAVAGE else ED25519).public().fingerprint == message.key.fingerprint


def test_a_message_of_two_generations_of_keys_fits() -> None:
    """An instance in the middle of a rotation, with the largest keys, can still ask."""
    keys = [make_rsa(Uri.parse(f"{ACTOR}#key-{number}"), ACTOR, 4096).public() for number in range(2)]
    actor = Instance(
        id=ACTOR, name="n" * 200, inbox=Uri.parse("https://it.example/inbox"),
        outbox=Uri.parse("https://it.example/outbox"), country="IT", contact="c" * 200, software="s" * 200,
        public_keys=tuple(KeyDocument(id=key.id, owner=ACTOR, pem=key.pem) for key in keys),
    )  # fmt: skip

    assert MAX_BODY > 1.5 * len(pairing.write(Verb.CONFIRM, NAME, SEES, render.instance(actor)))


@given(st.recursive(st.none() | st.booleans() | _INTEGERS | st.text(max_size=9), _nested, max_leaves=12))
def test_the_door_only_reads_or_refuses(value: Any) -> None:
    """Whatever is signed and sent, the answer is a message or a refusal, never another exception."""
    with pytest.raises(Refused):
        read(signed(orjson.dumps(value)))


@given(
    st.sampled_from(["pairing", "name", "sees", "actor"]), st.none() | st.text(max_size=70) | _INTEGERS | st.just([])
)
def test_every_member_is_looked_at(member: str, value: Any) -> None:
    """A member of another kind is refused, whichever it is."""
    said = orjson.loads(pairing.write(Verb.INVITE, NAME, SEES, document())) | {member: value}
    with pytest.raises(Refused):
        read(signed(orjson.dumps(said)))


def test_the_address_is_the_signers_own() -> None:
    """What stands in the path is the host of the key."""
    body = pairing.write(Verb.INVITE, NAME, SEES, document())

    assert "https://fr.example/siblings/it.example/pairing" == pairing.address(
        "https://fr.example", "https://it.example"
    )
    with pytest.raises(Refused, match="another instance"):
        read(signed(body), "de.example")
