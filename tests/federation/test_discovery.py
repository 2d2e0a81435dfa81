"""How doctors and instances are found, and what is not believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import discovery
from federation.errors import ForeignOrigin, Malformed, NotFound, Refused
from federation.uri import Uri
from tests.federation import words
from tests.federation.words import ANNA, DE

ASKED = "acct:anna@de.esanum.example"


def test_a_doctor_is_found_by_what_was_asked() -> None:
    """RFC 7033: the JRD of a doctor leads to the actor; so does that of the instance."""
    instance = words.an_instance()
    whole = "acct:de.esanum.example@de.esanum.example"

    assert ANNA == discovery.read_webfinger(discovery.webfinger_of_doctor(words.a_doctor()), ASKED)
    assert instance.id == discovery.read_webfinger(discovery.webfinger_of_instance(instance), whole)


def test_in_development_the_port_belongs_to_the_name() -> None:
    """On loopback names http and the port are part of where an account is asked for."""
    account = discovery.read_account("acct:anna@de.localhost:8002")

    assert ("anna", "http://de.localhost:8002") == (account.user, account.origin)
    assert discovery.read_account("acct:de.localhost:8002@de.localhost:8002").is_instance
    assert (
        "http://de.localhost:8002/.well-known/webfinger?resource=acct:anna@de.localhost:8002"
        == discovery.webfinger_url(account)
    )


def _jrd(**changes: Any) -> dict[str, Any]:
    link = {"rel": "self", "type": "application/activity+json", "href": str(ANNA)}
    return {"subject": ASKED, "links": [{**link, **changes.pop("link", {})}], **changes}


@pytest.mark.parametrize(
    "document",
    [
        _jrd(subject="acct:anna@fr.esanum.example"),
        _jrd(subject="acct:Anna@de.esanum.example"),
        _jrd(subject=None),
        _jrd(links=None),
        _jrd(links={}),
        _jrd(links=[]),
        _jrd(links=[7, None]),
        _jrd(link={"type": "text/html"}),
        _jrd(link={"rel": "http://webfinger.net/rel/profile-page"}),
        _jrd(link={"href": "javascript:alert(1)"}),
        _jrd(link={"href": 7}),
        _jrd(links=_jrd()["links"] * 2),
        {},
    ],
)
def test_another_subject_or_no_actor_is_not_linked(document: dict[str, Any]) -> None:
    """A56: subject and link must say exactly what was asked for."""
    with pytest.raises(Malformed):
        discovery.read_webfinger(document, ASKED)


@pytest.mark.parametrize(
    "href",
    [
        "https://fr.esanum.example/doctors/anna",
        "https://de.esanum.example:8443/doctors/anna",
        "https://de.esanum.example.stranger.example/doctors/anna",
        "http://localhost/doctors/anna",
    ],
)
def test_an_actor_on_another_server_is_not_linked(href: str) -> None:
    """A57: WebFinger leads to the server that was asked, never on to another."""
    with pytest.raises(ForeignOrigin):
        discovery.read_webfinger(_jrd(link={"href": href}), ASKED)


@pytest.mark.parametrize(
    "resource",
    [
        "",
        "anna",
        "anna@de.esanum.example",
        "acct:@de.esanum.example",
        "acct:anna@",
        "acct:anna@@de.esanum.example",
        "acct:anna@de.esanum.example\n",
        "acct:ANNA@de.esanum.example",
        "acct:an/na@de.esanum.example",
        "acct:../actor@de.esanum.example",
        "https://de.esanum.example/doctors/anna",
        "acct:anna@de.esanum.example/x",
        "acct:anna@de.esanum.example:999999",
        "acct:anna\0@de.esanum.example",
        "acct:" + "a" * 9_000 + "@de.esanum.example",
    ],
)
def test_a_junk_resource_is_malformed(resource: str) -> None:
    """A58: what is no account is answered with 400."""
    with pytest.raises(Malformed):
        discovery.asked_for(resource, DE)


def test_an_account_of_another_server_is_not_found() -> None:
    """A58: a well-formed account that is not ours is answered with 404."""
    with pytest.raises(NotFound):
        discovery.asked_for("acct:anna@fr.esanum.example", DE)
    assert "anna" == discovery.asked_for(ASKED, DE).user


@pytest.mark.parametrize("text", ["anna@de.esanum.example", "@anna@de.esanum.example", " Anna@DE.esanum.example "])
def test_people_type_addresses_in_several_ways(text: str) -> None:
    """A leading @, white space and capitals make no difference."""
    assert ASKED == discovery.read_address(text).uri


@pytest.mark.parametrize("text", ["anna", "@anna", "anna@", "a b@c.example", "https://de.esanum.example/doctors/anna"])
def test_what_is_no_address_is_malformed(text: str) -> None:
    """The twin: anything else is refused, not guessed at."""
    with pytest.raises(Malformed):
        discovery.read_address(text)


@given(st.text() | st.from_regex(r"(acct:)?@?[a-z.:0-9]{0,12}@[a-z0-9.:-]{0,20}", fullmatch=True))
def test_no_text_breaks_the_readers(text: str) -> None:
    """Whatever is asked, the answer is an account or a refusal; its origin is an address or a refusal."""
    for reader in (discovery.read_account, discovery.read_address):
        try:
            account = reader(text)
            assert Uri.parse(account.origin)
        except Refused:
            pass


def test_nodeinfo_counts_nobody() -> None:
    """NodeInfo names the software and protocol; no users, posts or activity are counted."""
    document = discovery.nodeinfo("0.1.0")

    assert {"users": {}} == document["usage"]
    assert ["activitypub"] == document["protocols"]
    assert f"{DE}/nodeinfo/2.1" == discovery.nodeinfo_links(DE)["links"][0]["href"]  # type: ignore[index, call-overload]


_LD = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/activity+json", True),
        (_LD, True),
        (f"application/activity+json, {_LD}", True),
        ("Application/Activity+JSON; q=0.5", True),
        ("text/html;q=0.5, application/activity+json", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/ld+json", False),
        ("text/html, application/activity+json;q=0.9", False),
        ("application/activity+json;q=0", False),
        ("application/activity+json;q=nan", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    ],
)
def test_a_page_or_a_document(accept: str, wanted: bool) -> None:
    """S1, G2: activity+json and ld+json with the profile are equal; a browser gets a page."""
    assert wanted == discovery.wants_activity(accept)
