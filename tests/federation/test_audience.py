"""Who may see, and where it goes: nothing here widens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.audience import (
    Reader,
    Target,
    addressing,
    may_read_at_sibling,
    of_post,
    sibling_inboxes,
)
from federation.errors import Malformed, PublicAudience
from federation.uri import Uri
from federation.vocabulary import NAMESPACE, PUBLIC, VERIFIED_DOCTORS, Audience, PostKind
from tests.federation import words
from tests.federation.words import ANNA, DE, FR, IT, MARIE

FOLLOWERS = Uri.parse(f"{ANNA}/followers")
PUBLIC_URI = Uri.parse(next(spelling for spelling in PUBLIC if spelling.startswith("https")))


def sibling(origin: str, policy: LocalPolicy = LocalPolicy.INHERIT, **changes: object) -> Sibling:
    """One entry of the allowlist."""
    return Sibling(
        origin=origin,
        actor=Uri.parse(f"{origin}/actor"),
        name=origin,
        country="FR",
        since=datetime(2026, 1, 1, tzinfo=UTC),
        instance_keys=frozenset(),
        issuer_keys=(),
        may_issue_for=frozenset({"FR"}),
        policy=policy,
        **changes,  # type: ignore[arg-type]
    )


def allowlist(*siblings: Sibling) -> Allowlist:
    """The list of these."""
    return Allowlist(1, {entry.origin: entry for entry in siblings})


def reader(origin: str, handle: str, shared: bool = True) -> Reader:
    """A doctor at a sibling."""
    actor = Uri.parse(f"{origin}/doctors/{handle}")
    return Reader(actor, Uri.parse(f"{actor}/inbox"), Uri.parse(f"{origin}/inbox") if shared else None)


def test_an_audience_and_its_recipients_are_one_thing() -> None:
    """What an audience is addressed to is read as that audience again."""
    for audience in (Audience.FEDERATION, Audience.COLLEAGUES, Audience.NAMED):
        to, cc = addressing(audience, FOLLOWERS, [MARIE])

        assert audience == of_post(words.a_post(to=to, cc=cc), FOLLOWERS)


def test_what_has_no_recipients_is_not_addressed() -> None:
    """A national post, a named audience of nobody, or one that names the public cannot be addressed."""
    for audience, named in ((Audience.NATIONAL, [MARIE]), (Audience.NAMED, []), (Audience.NAMED, [PUBLIC_URI])):
        with pytest.raises(ValueError, match="never"):
            addressing(audience, FOLLOWERS, named)


@pytest.mark.parametrize(
    "recipients",
    [
        (),
        (VERIFIED_DOCTORS, FOLLOWERS),
        (VERIFIED_DOCTORS, MARIE),
        (FOLLOWERS, MARIE),
        (Uri.parse(NAMESPACE + "#Everybody"),),
    ],
)
def test_a_mixed_audience_is_malformed(recipients: tuple[Uri, ...]) -> None:
    """Recipients that are no single audience of ours are refused, not interpreted."""
    with pytest.raises(Malformed):
        of_post(words.a_post(to=recipients), FOLLOWERS)


def test_a_public_post_is_refused() -> None:
    """N42: the public address is refused wherever it stands."""
    for place in ("to", "cc"):
        with pytest.raises(PublicAudience):
            of_post(words.a_post(**{place: (PUBLIC_URI,)}), FOLLOWERS)


def test_a_federation_post_goes_once_to_every_open_sibling() -> None:
    """S7: every sibling the policy lets out, at its shared inbox; paused, blocked, read-only and our own never."""
    listed = allowlist(
        sibling(FR, inbox=Uri.parse(f"{FR}/shared")),
        sibling(IT),
        sibling(DE),
        sibling("https://es.esanum.example", LocalPolicy.PAUSE),
        sibling("https://at.esanum.example", LocalPolicy.BLOCK),
        sibling("https://uk.esanum.example", LocalPolicy.READ_ONLY),
    )

    assert (
        Target(FR, Uri.parse(f"{FR}/shared"), True),
        Target(IT, Uri.parse(f"{IT}/inbox"), True),
    ) == sibling_inboxes(Audience.FEDERATION, listed, PostKind.CASE, own_origin=DE)


def test_a_kind_goes_only_where_it_is_open() -> None:
    """A kind the policy does not open for a sibling is not sent there; an activity about no post has no kind."""
    listed = allowlist(sibling(FR), sibling(IT, kinds_out=frozenset({PostKind.NEWS})))

    assert [IT] == [t.origin for t in sibling_inboxes(Audience.FEDERATION, listed, PostKind.NEWS, own_origin=DE)]
    assert [FR] == [t.origin for t in sibling_inboxes(Audience.FEDERATION, listed, PostKind.CASE, own_origin=DE)]
    assert [FR, IT] == [t.origin for t in sibling_inboxes(Audience.FEDERATION, listed, None, own_origin=DE)]


def test_one_post_per_shared_inbox_and_the_rest_in_person() -> None:
    """S5, S6, S10: shared inboxes once, doctors without one in person, the actor and our own doctors not at all."""
    followers = [
        reader(FR, "marie"),
        reader(FR, "luc"),
        reader(IT, "paolo", shared=False),
        reader(IT, "rita", shared=False),
        reader(DE, "anna"),
        reader("https://stranger.example", "x"),
    ]

    targets = sibling_inboxes(
        Audience.COLLEAGUES,
        allowlist(sibling(FR), sibling(IT)),
        PostKind.CASE,
        followers,
        own_origin=DE,
        actor=followers[3].actor,
    )

    assert (
        Target(FR, Uri.parse(f"{FR}/inbox"), True),
        Target(IT, Uri.parse(f"{IT}/doctors/paolo/inbox"), False),
    ) == targets


def test_an_inbox_on_another_server_is_none() -> None:
    """A48: a doctor whose inbox lies elsewhere is not delivered to, listed or not."""
    lured = Reader(MARIE, Uri.parse(f"{IT}/inbox"))

    assert () == sibling_inboxes(
        Audience.NAMED, allowlist(sibling(FR), sibling(IT)), PostKind.CASE, (), [lured], own_origin=DE
    )


def test_a_national_post_goes_nowhere() -> None:
    """National never leaves, whoever follows or is named."""
    everybody = [reader(FR, "marie")]

    assert () == sibling_inboxes(
        Audience.NATIONAL, allowlist(sibling(FR)), PostKind.CASE, everybody, everybody, own_origin=DE
    )


_origins = st.sampled_from((FR, IT, DE, "https://es.esanum.example", "https://stranger.example"))
_siblings = st.lists(
    st.builds(sibling, _origins, st.sampled_from(LocalPolicy), kinds_out=st.frozensets(st.sampled_from(PostKind))),
    max_size=4,
    unique_by=lambda entry: entry.origin,
)
_readers = st.lists(st.builds(reader, _origins, st.sampled_from("abc"), st.booleans()), max_size=6)
_audiences = st.sampled_from(Audience)


@given(_audiences, _siblings, st.sampled_from(PostKind), _readers, _readers)
def test_nothing_goes_beyond_the_audience(
    audience: Audience, siblings: list[Sibling], kind: PostKind, followers: list[Reader], named: list[Reader]
) -> None:
    """For any list: each target is open for out and takes the kind, none is doubled, each serves somebody meant."""
    listed = allowlist(*siblings)
    targets = sibling_inboxes(audience, listed, kind, followers, named, own_origin=DE, actor=ANNA)
    circle = {Audience.COLLEAGUES: followers, Audience.NAMED: named}.get(audience, [])

    assert len(targets) == len({target.inbox for target in targets})
    for target in targets:
        assert target.origin != DE
        assert target.origin == target.inbox.origin
        assert kind in listed.require(target.origin, Direction.OUT).kinds_out
        assert audience == Audience.FEDERATION or target.origin in {r.actor.origin for r in circle}


@given(_audiences, _siblings, st.sampled_from(PostKind), _readers, _readers)
def test_what_is_sent_may_be_read_and_nothing_else(
    audience: Audience, siblings: list[Sibling], kind: PostKind, followers: list[Reader], named: list[Reader]
) -> None:
    """A sibling may ask for exactly what would have been sent to it."""
    sent = {t.origin for t in sibling_inboxes(audience, allowlist(*siblings), kind, followers, named, own_origin=DE)}
    origins = [{r.actor.origin for r in readers} for readers in (followers, named)]

    for entry in siblings:
        if entry.origin != DE:
            assert (entry.origin in sent) == may_read_at_sibling(audience, kind, entry, *origins)


@pytest.mark.parametrize(
    ("audience", "followers", "named", "open_to_it"),
    [
        (Audience.FEDERATION, (), (), True),
        (Audience.COLLEAGUES, (FR,), (), True),
        (Audience.COLLEAGUES, (IT,), (FR,), False),
        (Audience.NAMED, (), (FR,), True),
        (Audience.NAMED, (FR,), (IT,), False),
        (Audience.NATIONAL, (FR,), (FR,), False),
    ],
)
def test_a_sibling_reads_what_one_of_its_doctors_may(
    audience: Audience, followers: tuple[str, ...], named: tuple[str, ...], open_to_it: bool
) -> None:
    """A99, A103: following opens what is for colleagues, being named opens what names, and neither opens the other."""
    assert open_to_it == may_read_at_sibling(audience, PostKind.CASE, sibling(FR), followers, named)
    assert not may_read_at_sibling(audience, PostKind.NEWS, sibling(FR), followers, named)
