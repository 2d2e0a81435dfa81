"""Who may see: nothing here widens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from federation.allowlist import LocalPolicy, Sibling
from federation.audience import addressing, may_read_at_sibling, of_post
from federation.errors import Malformed, PublicAudience
from federation.uri import Uri
from federation.vocabulary import NAMESPACE, PUBLIC, VERIFIED_DOCTORS, Audience, PostKind
from tests.federation import words
from tests.federation.words import ANNA, FR, IT, MARIE

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
