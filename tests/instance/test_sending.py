"""Where a message goes: to the siblings it is meant for, each once, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.allowlist import LocalPolicy, Sibling
from federation.audience import Target, may_read_at_sibling
from federation.uri import Uri
from federation.vocabulary import Audience, PostKind
from instance.services import sending
from instance.services.errors import Rejected
from tests.federation.servers import allow, sibling

DE, FR, IT, ES = (f"https://{name}.example" for name in ("de", "fr", "it", "es"))
STRANGER = "https://stranger.example"


def at(*siblings: Sibling) -> Any:
    """The German instance with that allowlist, as far as sending asks it."""
    return SimpleNamespace(origin=DE, allowlist=allow(*siblings))


def of(origin: str, handle: str = "x") -> dict[str, str]:
    """The row of a doctor there."""
    return {"uri": f"{origin}/doctors/{handle}", "origin": origin, "inbox": f"{origin}/doctors/{handle}/inbox"}


def shared(origin: str) -> Target:
    """A sibling's shared inbox."""
    return Target(origin, Uri.parse(origin + "/inbox"), True)


def test_a_federation_post_goes_once_to_every_sibling_that_is_let_out() -> None:
    """S7: at its shared inbox; for a paused one it is kept, and to one that is blocked or only read it never goes."""
    policies = (LocalPolicy.INHERIT, LocalPolicy.PAUSE, LocalPolicy.BLOCK, LocalPolicy.READ_ONLY)
    node = at(*(sibling(origin, policy) for origin, policy in zip((FR, IT, ES, STRANGER), policies, strict=True)))

    assert [shared(FR), shared(IT)] == sending.of_federation(node, PostKind.CASE)


def test_a_kind_goes_only_where_it_is_open() -> None:
    """What a sibling's entry does not open is not sent there, whoever it is meant for."""
    node = at(sibling(FR), replace(sibling(IT), kinds_out=frozenset({PostKind.NEWS})))

    for kind, expected in ((PostKind.NEWS, [shared(IT)]), (PostKind.CASE, [shared(FR)])):
        assert expected == sending.of_federation(node, kind)
        assert expected == sending.of_doctors(node, [of(FR), of(IT)], kind)


def test_one_message_per_shared_inbox() -> None:
    """S5, S6: however many doctors are meant there; our own, and those of strangers, not at all."""
    rows = [of(FR, "marie"), of(FR, "luc"), of(IT, "paolo"), of(DE, "anna"), of(STRANGER)]

    assert [shared(FR), shared(IT)] == sending.of_doctors(at(sibling(FR), sibling(IT)), rows, PostKind.CASE)


def test_a_withdrawal_goes_wherever_the_thing_went() -> None:
    """Whatever the policy has become, but for a sibling that is blocked or gone from the list."""
    node = at(sibling(FR, LocalPolicy.READ_ONLY), sibling(IT, LocalPolicy.PAUSE), sibling(ES, LocalPolicy.BLOCK))

    assert [shared(FR), shared(IT)] == sending.of_holders(node, [ES, FR, IT, STRANGER])


def test_what_is_for_one_doctor_goes_to_their_inbox() -> None:
    """None for our own; the twin, a sibling that is closed, is refused, or left out where that is no fault."""
    node = at(sibling(FR), sibling(IT, LocalPolicy.PAUSE), sibling(ES, LocalPolicy.BLOCK))

    assert [Target(FR, Uri.parse(f"{FR}/doctors/x/inbox"), False)] == sending.personal(node, of(FR))
    assert sending.personal(node, of(FR)) == sending.personal_if_open(node, of(FR))
    assert [] == sending.personal(node, of(DE)) == sending.personal_if_open(node, of(DE))
    for closed in (IT, ES, STRANGER):
        with pytest.raises(Rejected, match="sibling_closed"):
            sending.personal(node, of(closed))
    for closed in (ES, STRANGER):
        assert [] == sending.personal_if_open(node, of(closed))


def test_what_ends_something_waits_for_a_sibling_that_is_paused() -> None:
    """An Undo, a Reject, an Accept said meanwhile is sent when it is resumed, or both would believe another thing."""
    node = at(sibling(IT, LocalPolicy.PAUSE))

    assert [Target(IT, Uri.parse(f"{IT}/doctors/x/inbox"), False)] == sending.personal_if_open(node, of(IT))


_origins = st.sampled_from((FR, IT, DE, ES, STRANGER))
_siblings = st.lists(
    st.builds(
        lambda origin, policy, kinds: replace(sibling(origin, policy), kinds_out=kinds),
        st.sampled_from((FR, IT, ES)), st.sampled_from(LocalPolicy), st.frozensets(st.sampled_from(PostKind)),
    ),
    max_size=3, unique_by=lambda entry: entry.origin,
)  # fmt: skip
_rows = st.lists(st.builds(of, _origins, st.sampled_from("abc")), max_size=6)


@given(_siblings, st.sampled_from(PostKind), _rows)
def test_what_is_sent_may_be_read_and_nothing_else(siblings: list[Sibling], kind: PostKind, rows: list[Any]) -> None:
    """A sibling may ask for exactly what was sent to it; a paused one for nothing, until it is resumed."""
    node, origins = at(*siblings), {row["origin"] for row in rows}
    told = {
        Audience.FEDERATION: sending.of_federation(node, kind),
        Audience.COLLEAGUES: sending.of_doctors(node, rows, kind),
        Audience.NAMED: sending.of_doctors(node, rows, kind),
        Audience.NATIONAL: [],
    }
    for audience, targets in told.items():
        reached = {target.origin for target in targets}
        may_ask = {entry.origin for entry in siblings if may_read_at_sibling(audience, kind, entry, origins, origins)}

        assert len(targets) == len(reached)
        assert may_ask == reached - {entry.origin for entry in siblings if entry.policy is LocalPolicy.PAUSE}
