"""Attacks on signature and key (A1 to A36), through the whole application of an instance with real siblings.

Each is refused with its status and code, stores nothing, contacts nobody it should not, and leaves one row on the record.
Of the list in the security design these are beyond what exists here: A89 to A93 and A105 (uploads and evidence), A96 (CSV),
A112, A113, A115, A117 (second factor, mail, review, second approver), A130 (federation list).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from federation import render
from federation.keys import make_ed25519
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.wire import Response
from tests.doorway import a_create, instance_key, reads
from tests.network.scene import Liar, reads_of, without_trace
from tests.town import Network, Person, Place, pooled_rsa, refused, send_signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Town(NamedTuple):
    """France, whose door is under attack; two German doctors and an Italian one it knows."""

    network: Network
    fr: Place
    marie: Person
    anna: Person
    berta: Person
    luca: Person


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: Any) -> AsyncIterator[Town]:
    """Opened once: what is refused leaves nothing behind."""
    network = await Network.open(tmp_path_factory.mktemp("town"), "fr", "de", "it")
    marie, anna = await network["fr"].doctor("marie"), await network["de"].doctor("anna")
    berta, luca = await network["de"].doctor("berta"), await network["it"].doctor("luca")
    for person in (anna, berta, luca):
        assert 202 == (await person.sends(network["fr"], render.activity(a_create(person)))).status
    yield Town(network, network["fr"], marie, anna, berta, luca)
    await network.close()


class Message:
    """A good message of Anna's, still in her hand."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.headers, self.body, self.target = headers, body, "/inbox"
        self.more: list[tuple[str, str]] = []

    def param(self, name: str, value: str | None) -> None:
        """Set or drop a parameter of the cavage signature."""
        text = re.sub(rf',?{name}=("[^"]*"|\d+)', "", self.headers["Signature"]).lstrip(",")
        self.headers["Signature"] = text if value is None else f"{text},{name}={value}"


async def message(town: Town, profile: Profile = Profile.CAVAGE, *, ahead: timedelta = timedelta(0)) -> Message:
    """Sign a new case of Anna's."""
    body = render.activity(a_create(town.anna))
    key = await town.anna.place.node.keys.signing_key(town.anna.uri, profile)
    return Message(sign("POST", town.fr.node.shared_inbox, body, key, profile, town.network.clock() + ahead), body)


async def post(town: Town, sent: Message) -> Any:
    """Send it as it is now."""
    return await town.fr.request("POST", sent.target, [*sent.headers.items(), *sent.more], sent.body)


def sha256(body: bytes) -> str:
    """A Digest header."""
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()


CAVAGE: dict[str, tuple[Any, int, set[str]]] = {
    "A1 unsigned, a doctor's inbox": (
        lambda m: (m.headers.pop("Signature"), setattr(m, "target", "/doctors/marie/inbox")), 401, {"not_signed"},
    ),
    "A2 unsigned, the shared inbox": (lambda m: m.headers.pop("Signature"), 401, {"not_signed"}),
    "A3 body changed after signing": (
        lambda m: setattr(m, "body", m.body.replace(b"Nobody", b"Anybody")), 401, {"digest_mismatch"},
    ),
    "A3 body and digest changed": (
        lambda m: (setattr(m, "body", m.body + b" "), m.headers.update(Digest=sha256(m.body))), 401, {"bad_signature"},
    ),
    "A4 no digest": (lambda m: m.headers.pop("Digest"), 401, {"weak_coverage", "digest_mismatch", "bad_signature"}),
    "A5 digest not covered": (
        lambda m: m.param("headers", '"(request-target) host date"'), 401, {"weak_coverage"},
    ),
    "A6 digests that disagree": (
        lambda m: m.headers.update(Digest=m.headers["Digest"] + ",SHA-512=" + "A" * 86 + "=="), 401,
        {"digest_mismatch"},
    ),
    "A6 MD5 alone": (lambda m: m.headers.update(Digest="MD5=1B2M2Y8AsgTpgAmY7PhCfg=="), 401, {"digest_mismatch"}),
    "A6 two digests": (lambda m: m.more.append(("Digest", m.headers["Digest"])), 400, {"malformed_headers"}),
    "A7 target not covered": (lambda m: m.param("headers", '"host date digest"'), 401, {"weak_coverage"}),
    "A8 captured for another inbox": (
        lambda m: setattr(m, "target", "/doctors/marie/inbox"), 401, {"bad_signature"},
    ),
    "A9 host not covered": (
        lambda m: m.param("headers", '"(request-target) date digest"'), 401, {"weak_coverage"},
    ),
    "A9 another server's host": (lambda m: m.headers.update(Host="de.example"), 421, {"wrong_host"}),
    "A10 no date": (lambda m: m.headers.pop("Date"), 401, {"stale", "weak_coverage", "bad_signature"}),
    "A10 a date nobody can read": (lambda m: m.headers.update(Date="yesterday"), 401, {"stale"}),
    "A11 created under rsa-sha256": (lambda m: m.param("created", "1780000000"), 401, {"bad_signature", "stale"}),
    "A14 sha1": (lambda m: m.param("algorithm", '"rsa-sha1"'), 401, {"bad_signature"}),
    "A14 none": (lambda m: m.param("algorithm", '"none"'), 401, {"bad_signature"}),
    "A14 an algorithm nobody knows": (lambda m: m.param("algorithm", '"rsa-sha256x"'), 401, {"bad_signature"}),
    "A15 no key id": (lambda m: m.param("keyId", None), 401, {"bad_signature"}),
    "A15 no signature": (lambda m: m.param("signature", None), 401, {"bad_signature"}),
    "A15 junk in base64": (lambda m: m.param("signature", '"%%%"'), 401, {"bad_signature"}),
    "A15 an open quote": (lambda m: m.headers.update(Signature=m.headers["Signature"] + ',x="'), 401, {"bad_signature"}),
    "A15 a percent sign": (lambda m: m.headers.update(Signature="%"), 401, {"bad_signature"}),
    "A16 over the date alone": (lambda m: m.param("headers", '"date"'), 401, {"weak_coverage"}),
    "A17 a parameter twice": (
        lambda m: m.headers.update(Signature=m.headers["Signature"] + ',algorithm="rsa-sha256"'), 401,
        {"bad_signature"},
    ),
    "A18 two signatures": (
        lambda m: m.more.append(("Signature", m.headers["Signature"])), 400, {"malformed_headers"},
    ),
    "A19 two dates": (lambda m: m.more.append(("Date", m.headers["Date"])), 400, {"malformed_headers"}),
    "A19 two hosts": (lambda m: m.more.append(("Host", "de.example")), 400, {"malformed_headers"}),
    "A26 an acct: key id": (lambda m: m.param("keyId", '"acct:anna@de.example"'), 401, {"bad_signature"}),
    "A27 userinfo in the key id": (
        lambda m: m.param("keyId", '"https://x@de.example/doctors/anna#main-key"'), 401, {"bad_signature"},
    ),
    "A27 http in the key id": (
        lambda m: m.param("keyId", '"http://de.example/doctors/anna#main-key"'), 401, {"bad_signature"},
    ),
    "A27 a backslash": (lambda m: m.param("keyId", r'"https://de.example\@evil.example/k"'), 401, {"bad_signature"}),
    "A27 a trick with #@": (
        lambda m: m.param("keyId", '"https://evil.example#@de.example/k"'), 403, {"not_a_sibling"},
    ),
    "A22 a stranger": (
        lambda m: m.param("keyId", '"https://evil.example/doctors/x#main-key"'), 403, {"not_a_sibling"},
    ),
    "A23 a key id on our own host": (
        lambda m: m.param("keyId", '"https://fr.example/doctors/marie#main-key"'), 401, {"unknown_key"},
    ),
    "A32 a host from the proxy's header": (
        lambda m: m.headers.update({"Host": "evil.example", "X-Forwarded-Host": "fr.example"}), 421, {"wrong_host"},
    ),
    "A34 a query": (lambda m: setattr(m, "target", "/inbox?x"), 404, {"not_found"}),
    "A34 a doubled slash": (lambda m: setattr(m, "target", "//inbox"), 404, {"not_found"}),
    "A34 an escaped letter": (lambda m: setattr(m, "target", "/%69nbox"), 404, {"not_found"}),
    "A34 a slash at the end": (lambda m: setattr(m, "target", "/inbox/"), 404, {"not_found"}),
    "A36 another content type": (
        lambda m: m.headers.update({"Content-Type": "application/json"}), 415, {"unsupported_media_type"},
    ),
    "A36 an encoded body": (lambda m: m.headers.update({"Content-Encoding": "gzip"}), 415, {"unsupported_media_type"}),
    "A59 a homograph": (
        lambda m: m.param("keyId", '"https://xn--d-fka.example/doctors/anna#main-key"'), 403, {"not_a_sibling"},
    ),
    "A60 a suffix": (
        lambda m: m.param("keyId", '"https://de.example.evil.example/doctors/anna#main-key"'), 403, {"not_a_sibling"},
    ),
    "A60 a prefix": (
        lambda m: m.param("keyId", '"https://x.de.example/doctors/anna#main-key"'), 403, {"not_a_sibling"},
    ),
    "A61 another port": (
        lambda m: m.param("keyId", '"https://de.example:8443/doctors/anna#main-key"'), 403, {"not_a_sibling"},
    ),
    "A61 a dot at the end": (
        lambda m: m.param("keyId", '"https://de.example./doctors/anna#main-key"'), 401, {"bad_signature"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", CAVAGE)
async def test_a_message_laid_hands_on_is_refused_without_a_trace(town, attack):
    """A1 to A36, A59 to A61 under cavage: each with its status and code; nothing stored, nobody asked."""
    change, status, codes = CAVAGE[attack]
    town.network.clock.move(seconds=2)
    sent = await message(town)
    change(sent)
    if sent.target != "/inbox" and status == 404:  # the pages answer: nothing for the record
        assert status == (await post(town, sent)).status
        return

    # A signature that does not hold has the key read once more, at most once a minute.
    await without_trace(town.fr, lambda: post(town, sent), status, *codes, reads=1 if "bad_signature" in codes else 0)


@pytest.mark.parametrize("profile", list(Profile))
async def test_the_twin_arrives(town, profile):
    """The same message with no hand laid on it: 202, in either profile."""
    answer = await post(town, await message(town, profile))

    assert 202 == answer.status


@pytest.mark.parametrize("ahead", [timedelta(hours=-2), timedelta(hours=2)])
@pytest.mark.parametrize("profile", list(Profile))
async def test_a_message_of_another_hour_is_stale(town, profile, ahead):
    """A10, A11: two hours old, or two hours ahead."""
    town.network.clock.move(seconds=2)
    sent = await message(town, profile, ahead=ahead)

    await without_trace(town.fr, lambda: post(town, sent), 401, "stale")


RFC: dict[str, tuple[Any, int, set[str]]] = {
    "A35 both profiles": (
        lambda m: m.headers.update(
            {"Signature": 'keyId="https://de.example/doctors/anna#main-key",signature="AAAA",headers="date"'}
        ),
        401,
        {"bad_signature", "weak_coverage"},
    ),
    "A35 no target": (
        lambda m: m.headers.update({"Signature-Input": m.headers["Signature-Input"].replace(' "@target-uri"', "")}),
        401,
        {"weak_coverage"},
    ),
    "A35 no method": (
        lambda m: m.headers.update({"Signature-Input": m.headers["Signature-Input"].replace('"@method" ', "")}),
        401,
        {"weak_coverage"},
    ),
    "A35 no digest": (
        lambda m: m.headers.update({"Signature-Input": m.headers["Signature-Input"].replace(' "content-digest"', "")}),
        401,
        {"weak_coverage"},
    ),
    **{
        f"A36 the parameter {flag}": (
            lambda m, flag=flag: m.headers.update(
                {"Signature-Input": m.headers["Signature-Input"].replace('"@method"', f'"@method";{flag}')}
            ),
            401,
            {"bad_signature", "weak_coverage"},
        )
        for flag in ("sf", "bs", "req", "tr")
    },
    "A36 two labels": (
        lambda m: m.headers.update(
            {
                "Signature-Input": m.headers["Signature-Input"] + ", " + m.headers["Signature-Input"].replace("sig", "x"),
                "Signature": m.headers["Signature"] + ", " + m.headers["Signature"].replace("sig", "x"),
            }
        ),
        401,
        {"bad_signature"},
    ),
    "A11 expired": (
        lambda m: m.headers.update({"Signature-Input": m.headers["Signature-Input"] + ";expires=1"}),
        401,
        {"stale", "bad_signature"},
    ),
    "A3 body changed after signing": (
        lambda m: setattr(m, "body", m.body.replace(b"Nobody", b"Anybody")), 401, {"digest_mismatch"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", RFC)
async def test_the_other_profile_is_as_strict(town, attack):
    """A3, A11, A35, A36 under RFC 9421."""
    change, status, codes = RFC[attack]
    town.network.clock.move(seconds=2)
    sent = await message(town, Profile.RFC9421)
    change(sent)

    await without_trace(town.fr, lambda: post(town, sent), status, *codes)


@pytest.mark.parametrize("label", ["hmac-sha256", "hs2019"])
async def test_the_public_key_is_no_shared_secret(town, label):
    """A13: HMAC keyed with the public key's PEM."""
    town.network.clock.move(seconds=2)
    sent = await message(town)
    key = await town.anna.place.node.keys.signing_key(town.anna.uri, Profile.CAVAGE)
    pem = key.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signing = "\n".join(
        [
            "(request-target): post /inbox", "host: fr.example", f"date: {sent.headers['Date']}",
            f"digest: {sent.headers['Digest']}",
        ]
    )  # fmt: skip
    forged = base64.b64encode(hmac.new(pem, signing.encode(), "sha256").digest()).decode()
    sent.param("headers", '"(request-target) host date digest"')
    sent.param("algorithm", f'"{label}"')
    sent.param("signature", f'"{forged}"')

    await without_trace(town.fr, lambda: post(town, sent), 401, "bad_signature", reads=1)


async def test_an_override_of_the_method_is_not_heard(town):
    """A35: the request line alone says what is asked."""
    sent = await message(town)
    sent.headers["X-HTTP-Method-Override"] = "DELETE"

    assert 202 == (await post(town, sent)).status


async def test_a_key_of_another_actor_signs_nothing_of_annas(town):
    """A20, A21: a colleague's key on the same host, and one of another sibling."""
    body = render.activity(a_create(town.anna))

    for somebody in (town.berta, town.luca):
        await without_trace(town.fr, lambda who=somebody: who.sends(town.fr, body), 403, "actor_mismatch")


async def test_an_upload_is_no_key(town):
    """A24: a key id that leads to a file at a sibling: its media type is no ActivityPub."""
    owner = town.anna.uri
    forged = make_ed25519(Uri.parse("https://de.example/media/photo.jpg#key"), owner)
    document = {
        "id": "https://de.example/media/photo.jpg", "type": "Multikey", "controller": owner,
        "publicKeyMultibase": forged.public().multikey,
    }  # fmt: skip
    upload = Response(200, {"content-type": "image/jpeg"}, json.dumps(document).encode())
    liar = Liar(town.network["de"], "/media/photo.jpg", lambda _: upload)
    body = render.activity(a_create(town.anna))

    await without_trace(
        town.fr, lambda: send_signed(town.fr, body, forged, profile=Profile.RFC9421), 401, "unknown_key", reads=1
    )
    liar.honest()


async def test_a_key_document_of_its_own_proves_no_owner(town):
    """A25: a document that claims Anna as its owner; her own document does not list the key."""
    forged = make_ed25519(Uri.parse("https://de.example/keys/9"), town.anna.uri)
    liar = Liar(
        town.network["de"],
        "/keys/9",
        lambda _: {
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": "https://de.example/keys/9",
            "owner": town.anna.uri,
            "publicKeyPem": "x",
        },
    )
    body = render.activity(a_create(town.anna))

    await without_trace(
        town.fr,
        lambda: send_signed(town.fr, body, forged, profile=Profile.RFC9421),
        401,
        "key_not_owned",
        "unknown_key",
        reads=2,
    )
    liar.honest()


async def test_a_redirected_key_is_not_followed(town):
    """A28: the sibling sends us elsewhere; we do not go."""
    away = Response(302, {"location": "https://evil.example/key"}, b"")
    liar = Liar(town.network["de"], "/doctors/away", lambda _: away)
    uri = Uri.parse("https://de.example/doctors/away")
    forged = make_ed25519(Uri.parse(uri + "#k"), uri)
    body = render.activity(a_create(town.anna))

    await without_trace(
        town.fr, lambda: send_signed(town.fr, body, forged, profile=Profile.RFC9421), 401, "unknown_key", reads=1
    )
    liar.honest()

    assert 0 == reads_of(town.network, "evil.example")


@lru_cache(maxsize=4)
def _rsa(bits: int) -> rsa.RSAPublicKey:
    return rsa.generate_private_key(65_537, bits).public_key()


@pytest.mark.parametrize("bits", [1024, 4352])
async def test_a_key_of_the_wrong_size_is_no_key(town, bits):
    """A31: RSA below 2048 or above 4096 bits."""
    name = f"size{bits}"
    uri = Uri.parse(f"https://de.example/doctors/{name}")
    signer = pooled_rsa(Uri.parse(uri + "#main-key"), uri, 2048)
    pem = _rsa(bits).public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    anna = await town.anna.place.node.people.doctor_document("anna")
    document = render.document(anna)
    document |= {"id": uri, "publicKey": {"id": uri + "#main-key", "owner": uri, "publicKeyPem": pem.decode()}}
    for box in ("inbox", "outbox", "followers", "following"):
        document[box] = f"{uri}/{box}"
    document["preferredUsername"] = name
    liar = Liar(town.network["de"], f"/doctors/{name}", lambda _: document)
    body = render.activity(a_create(Person(town.anna.place, name, uri)))

    await without_trace(
        town.fr, lambda: send_signed(town.fr, body, signer), 401, "unknown_key", "key_not_owned", reads=1
    )
    liar.honest()


async def test_reading_needs_a_siblings_signature(town):
    """A33, N4: a doctor, a collection, an object: 401 unsigned, 403 for a stranger, whether it is there or not."""
    slug = await town.marie.posts("To be read by siblings")
    stranger = make_ed25519(Uri.parse("https://evil.example/actor#k"), Uri.parse("https://evil.example/actor"))
    targets = (
        "/doctors/marie", "/doctors/nobody", "/doctors/marie/outbox", "/doctors/marie/followers", f"/posts/{slug}",
        "/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV", f"/posts/{slug}/context", "/activities/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/.well-known/webfinger?resource=acct:marie@fr.example",
    )  # fmt: skip
    accept = {"Accept": "application/activity+json", "Host": "fr.example"}
    unsigned, strange = [], []
    for target in targets:
        town.network.clock.move(seconds=2)
        unsigned.append(refused(await town.fr.request("GET", target, accept)))
        headers = sign(
            "GET", Uri.parse(town.fr.node.origin + target), None, stranger, Profile.RFC9421, town.network.clock()
        )
        strange.append(refused(await town.fr.request("GET", target, {**headers, **accept})))

    assert [(401, "not_signed")] * len(targets) == unsigned
    assert [(403, "not_a_sibling")] * len(targets) == strange
    assert 200 == (await reads(town.network["de"], town.fr, f"/posts/{slug}")).status


async def test_nothing_is_sent_to_our_own_inbox_by_ourselves(town):
    """A23, N2: our own instance key is no sibling's, and no request to ourselves is made for it."""
    key = await instance_key(town.fr)
    body = render.activity(a_create(town.marie))

    await without_trace(town.fr, lambda: send_signed(town.fr, body, key), 401, "unknown_key")
