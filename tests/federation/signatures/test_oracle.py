"""An independent implementation as oracle: for random messages and keys it verifies ours, and ours its own.

The library looks at the system's clock, so these messages are made now; where the two differ, the test says how.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    algorithms,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.errors import Refused, WeakCoverage
from federation.keys import PrivateKey
from federation.signatures import Profile, Verified, content_digest, http_date, read_claim, sign, verify
from federation.signatures.rfc9421 import ALLOWED, REQUIRED_GET, REQUIRED_POST
from federation.uri import Uri
from tests.examples import examples
from tests.federation.signatures.make import ed25519_key, received, rsa_key

KEYS = (rsa_key(), ed25519_key())
#: What a message may say besides.
MORE = {"Sibling-Log": '17;epoch="01JDC0D60G0000000000000000"', "Collection-Synchronization": 'digest="00"'}
ALGORITHM = {"rsa": algorithms.RSA_V1_5_SHA256, "ed25519": algorithms.ED25519}
RESOLVER = MappingKeyResolver(
    public_keys={key.id: key.public().key for key in KEYS}, private_keys={key.id: key.key for key in KEYS}
)

segments = st.text("abcXYZ019-._~!$&'()*+,;=:@", min_size=1, max_size=8).filter(lambda part: part not in (".", ".."))
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
queries = st.just("") | st.text("abc=&/?1", max_size=10).map(lambda query: "?" + query)
hosts = st.sampled_from(["de.example", "a.b.example", "xn--bcher-kva.example", "de.example:8443"])
urls = st.builds(lambda host, path, query: Uri.parse(f"https://{host}{path}{query}"), hosts, paths, queries)
bodies = st.none() | st.binary(max_size=300)


@dataclass
class Request:
    """A request as the library reads and signs one."""

    method: str
    url: str
    headers: dict[str, str]


def ours(request: Request, url: Uri, body: bytes | None, key: PrivateKey) -> Verified:
    """What we say to the request."""
    message = received(request.headers, body, origin=url.origin, target=url.target, method=request.method)
    return verify(message, read_claim(message), key.public(), datetime.now(UTC))


def theirs(request: Request, body: bytes | None, key: PrivateKey) -> None:
    """What the library says to the request; raises InvalidSignature."""
    verifier = HTTPMessageVerifier(signature_algorithm=ALGORITHM[key.algorithm], key_resolver=RESOLVER)
    verifier.verify(request, max_age=timedelta(seconds=300), body=body)


def made_by_the_library(url: Uri, body: bytes | None, key: PrivateKey, covered: list[str], **more) -> Request:
    now = datetime.now(UTC)
    headers = {"Host": url.authority, "Date": http_date(now), **MORE}
    if body is not None:
        headers |= {"Content-Type": "application/activity+json", "Content-Digest": content_digest(body)}
    request = Request("GET" if body is None else "POST", str(url), headers)
    HTTPMessageSigner(signature_algorithm=ALGORITHM[key.algorithm], key_resolver=RESOLVER).sign(
        request, key_id=key.id, covered_component_ids=covered, created=now, use_existing_digest=body is not None, **more
    )
    return request


quick = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(url=urls, body=bodies, key=st.sampled_from(KEYS), more=st.sampled_from([{}, MORE]))
def test_the_library_verifies_ours(url, body, key, more):
    """Any message we sign is verified by the library, and by us; also with what it says of logs and followers."""
    method = "GET" if body is None else "POST"
    headers = sign(method, url, body, key, Profile.RFC9421, datetime.now(UTC), more=more)
    request = Request(method, str(url), headers)

    assert None is theirs(request, body, key)
    assert key.owner == ours(request, url, body, key).signer


@quick
@given(url=urls, body=bodies, key=st.sampled_from(KEYS), data=st.data())
def test_ours_verifies_the_librarys(url, body, key, data):
    """Any message the library signs within the profile is verified by us, with any allowed further components."""
    required = REQUIRED_GET if body is None else REQUIRED_POST
    absent = {"content-digest", "content-type"} if body is None else set()
    further = data.draw(st.lists(st.sampled_from(sorted(ALLOWED - set(required) - absent)), unique=True))
    covered = data.draw(st.permutations([*required, *further]))
    more = data.draw(st.fixed_dictionaries({}, optional={"nonce": st.text('ab\\" ', max_size=9), "tag": st.just("t")}))
    request = made_by_the_library(url, body, key, covered, **more)

    assert None is theirs(request, None, key)
    assert key.owner == ours(request, url, body, key).signer


@quick
@given(url=urls, body=st.binary(min_size=1, max_size=100), key=st.sampled_from(KEYS), data=st.data())
def test_both_refuse_what_was_changed(url, body, key, data):
    """A change to any covered part is refused by both."""
    headers = sign("POST", url, body, key, Profile.RFC9421, datetime.now(UTC))
    request, sent = Request("POST", str(url), headers), body
    match data.draw(st.sampled_from(["body", "method", "path", "type", "signature", "created"])):
        case "body":
            sent = bytes([body[0] ^ 1]) + body[1:]
        case "method":
            request.method = "PUT"
        case "path":
            request.url, url = str(url) + "x", Uri.parse(str(url) + "x")
        case "type":
            headers["Content-Type"] += "x"
        case "signature":
            headers["Signature"] = headers["Signature"].replace("=:", "=:A", 1)
        case "created":
            headers["Signature-Input"] = headers["Signature-Input"].replace(";created=", ";created=1")

    with pytest.raises(InvalidSignature):
        theirs(request, sent, key)
    with pytest.raises(Refused):
        ours(request, url, sent, key)


@pytest.mark.parametrize(
    ("covered", "more", "why"),
    [
        (["@method", "@target-uri", "@path", "content-digest"], {}, "a component outside the profile"),
        (["@method", "@target-uri", '"content-digest";sf'], {}, "a component parameter"),
        (["@method", "content-digest"], {}, "the target is not covered"),
        (["@method", "@target-uri"], {}, "the digest is not covered"),
        (["@method", "@target-uri", "content-digest"], {"include_alg": False}, "no alg"),
        (["@method", "@target-uri", "content-digest"], {"label": "a" * 65}, "a label of more than 64 letters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_we_are_stricter(covered, more, why):
    """The library has no policy of its own; these it verifies and we refuse, for the reason named."""
    url = Uri.parse("https://de.example/inbox")
    request = made_by_the_library(url, b"{}", ed25519_key(), covered, **more)

    assert None is theirs(request, None, ed25519_key()), why
    with pytest.raises(Refused):
        ours(request, url, b"{}", ed25519_key())


def test_a_get_that_covers_no_target_is_weak():
    """The library's own default of components lacks nothing for a GET; without the target it is weak_coverage."""
    url = Uri.parse("https://de.example/actor")
    default = made_by_the_library(url, None, ed25519_key(), ["@method", "@authority", "@target-uri"])
    weak = made_by_the_library(url, None, ed25519_key(), ["@method", "@authority"])

    assert ed25519_key().owner == ours(default, url, None, ed25519_key()).signer
    with pytest.raises(WeakCoverage):
        ours(weak, url, None, ed25519_key())
