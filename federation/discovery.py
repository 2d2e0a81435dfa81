"""How instances and doctors are found: WebFinger (RFC 7033), NodeInfo 2.1, and the question for ActivityPub in Accept.

Documents are values here; who may ask for them is the caller's rule. NodeInfo holds no counts: how many doctors a
country has, and how much they write, is nobody's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from federation.errors import ForeignOrigin, Malformed, NotFound
from federation.integrity import Json
from federation.render import ACTIVITY_JSON, LD_JSON
from federation.uri import BadUri, Uri
from federation.vocabulary import ACTIVITYSTREAMS, Doctor, Instance

SOFTWARE: Final = "esanum-federation"
JRD_JSON: Final = "application/jrd+json"
NODEINFO_JSON: Final = 'application/json; profile="http://nodeinfo.diaspora.software/ns/schema/2.1#"'
_NODEINFO_SCHEMA: Final = "http://nodeinfo.diaspora.software/ns/schema/2.1"
# RFC 7565, without percent signs: our handles need none. A port stands in the host part in development only, and then
# in the name of the instance as well.
_ACCT: Final = re.compile(
    r"acct:(?P<user>[a-z0-9](?:[a-z0-9._:-]{0,252}[a-z0-9])?)@(?P<authority>[a-z0-9.-]{1,253}(?::[0-9]{1,5})?)\Z"
)
_ADDRESS: Final = re.compile(r"@?(?P<acct>[^@\s/]+@[^@\s/]+)\Z")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a WebFinger resource names: a handle, or the authority itself for the instance."""

    user: str
    authority: str

    @property
    def uri(self) -> str:
        """The `acct:` address."""
        return f"acct:{self.user}@{self.authority}"

    @property
    def origin(self) -> str:
        """Where the account must be asked for; raise Malformed where no address can lead there."""
        for scheme in ("https", "http"):  # http between loopback names only, by the rule of Uri
            try:
                uri = Uri.parse(f"{scheme}://{self.authority}")
            except BadUri:
                continue
            if (scheme == "http") == uri.is_loopback:
                return uri.origin
        raise Malformed("no address leads to this account")

    @property
    def is_instance(self) -> bool:
        """Whether the instance itself is meant."""
        return self.user == self.authority


def read_account(resource: str) -> Account:
    """Return whom `acct:user@authority` names; raise Malformed for everything else (A58)."""
    found = _ACCT.match(resource)
    if found is None:
        raise Malformed("no account")
    return Account(found["user"], found["authority"])


def read_address(text: str) -> Account:
    """Return whom a person means who types `anna@de.esanum.example` or `@anna@…`; raise Malformed."""
    found = _ADDRESS.match(text.strip())
    if found is None:
        raise Malformed("no address of a doctor")
    return read_account("acct:" + found["acct"].lower())


def asked_for(resource: str, origin: str) -> Account:
    """Return whom a WebFinger request at this origin asks for; raise Malformed (400) or NotFound (404)."""
    account = read_account(resource)
    if account.authority != Uri.parse(origin).authority:
        raise NotFound("an account of another server")
    return account


# ── WebFinger ──


def webfinger_of_doctor(doctor: Doctor) -> dict[str, Json]:
    """Return the JRD of a doctor."""
    return _jrd(Account(doctor.handle, doctor.id.authority), doctor.id)


def webfinger_of_instance(instance: Instance) -> dict[str, Json]:
    """Return the JRD of the instance's own actor: `acct:authority@authority`."""
    return _jrd(Account(instance.id.authority, instance.id.authority), instance.id)


def webfinger_url(account: Account, origin: str = "") -> Uri:
    """Return where to ask for the account: at this origin where it is known, else at the one its address leads to."""
    return Uri.parse(f"{origin or account.origin}/.well-known/webfinger?resource={account.uri}")


def read_webfinger(document: Mapping[str, Json], asked: str, origin: str = "") -> Uri:
    """Return the actor the JRD leads to; raise Malformed or ForeignOrigin.

    The subject is exactly what was asked (A56), and exactly one `self` link of an ActivityPub type leads to an actor
    on the server that was asked.
    """
    account = read_account(asked)
    links = document.get("links")
    if document.get("subject") != account.uri or not isinstance(links, list):
        raise Malformed("another subject, or no links")
    found = [link["href"] for link in links if isinstance(link, dict) and _is_self(link)]
    if len(found) != 1:
        raise Malformed("not exactly one actor")
    try:
        actor = Uri.parse(found[0])
    except BadUri:
        raise Malformed("not an address") from None
    if actor.origin != (origin or account.origin):
        raise ForeignOrigin("an actor on another server than the one asked")
    return actor


def _jrd(account: Account, actor: Uri) -> dict[str, Json]:
    return {
        "subject": account.uri,
        "aliases": [actor],
        "links": [{"rel": "self", "type": ACTIVITY_JSON, "href": actor}],
    }


def _is_self(link: Mapping[str, Json]) -> bool:
    return link.get("rel") == "self" and link.get("type") in (ACTIVITY_JSON, LD_JSON) and "href" in link


# ── NodeInfo ──


def nodeinfo_links(origin: str) -> dict[str, Json]:
    """Return the document at `/.well-known/nodeinfo`."""
    return {"links": [{"rel": _NODEINFO_SCHEMA, "href": f"{origin}/nodeinfo/2.1"}]}


def nodeinfo(version: str) -> dict[str, Json]:
    """Return the document at `/nodeinfo/2.1`: what speaks here, and nothing about who or how many."""
    return {
        "version": "2.1",
        "software": {"name": SOFTWARE, "version": version},
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "openRegistrations": False,
        "usage": {"users": {}},
        "metadata": {},
    }


# ── Accept ──


def wants_activity(accept: str) -> bool:
    """Whether the header asks for ActivityPub rather than a page (ActivityPub section 3.2; RFC 9110 section 12.5.1)."""
    wanted = page = 0.0
    for media_range in accept.lower().split(",")[:32]:
        kind, parameters = _split(media_range.split(";"))
        quality = _quality(parameters.get("q", "1"))
        if kind == ACTIVITY_JSON or (kind == "application/ld+json" and parameters.get("profile") == ACTIVITYSTREAMS):
            wanted = max(wanted, quality)
        elif kind in ("text/html", "application/xhtml+xml"):
            page = max(page, quality)
    return wanted > 0 and wanted >= page


def _split(parts: Iterable[str]) -> tuple[str, dict[str, str]]:
    kind, *rest = [part.strip() for part in parts]
    pairs = [part.partition("=") for part in rest]
    return kind, {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _quality(text: str) -> float:
    return float(text) if re.match(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z", text) else 0.0
