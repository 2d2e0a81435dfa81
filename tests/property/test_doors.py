"""Everything at every door (P11): whatever arrives, the answer is a receipt or a refusal with a code.

Never another exception, never a 5xx but the documented 503 of a standing that cannot be known. One town for all of it;
what got through is then looked at through every page, which must not fail on it either.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation import render
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import Accept, Announce, Delete, Flag, Follow, Like, Reject, Undo, Update
from federation.wire import Response
from tests.doorway import a_comment, a_create, a_post, an_act, instance_key, new_id
from tests.examples import examples
from tests.federation.vectors import vector_files
from tests.network.scene import Visitor, home_uri, profile_path
from tests.town import Network, Person, Place, call, rows, send_signed

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Town(NamedTuple):
    """France, at whose doors things arrive, and Anna in Germany, whose key is real."""

    network: Network
    fr: Place
    marie: Person
    anna: Person
    visitor: Visitor
    slug: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: Any) -> AsyncIterator[Town]:
    """Opened once."""
    network = await Network.open(tmp_path_factory.mktemp("town"), "fr", "de")
    marie, anna = await network["fr"].doctor("marie"), await network["de"].doctor("anna")
    assert 202 == (await anna.sends(network["fr"], render.activity(a_create(anna)))).status
    slug = await marie.posts("Ours")
    yield Town(network, network["fr"], marie, anna, await Visitor.of(marie), slug)
    await network.close()


def is_an_answer(answer: Response) -> bool:
    """A receipt, a page, or a refusal with a code; a 5xx only where the design has one."""
    if answer.status < 400:
        return True
    if answer.status >= 500 and answer.status != 503:
        return False
    if "json" not in answer.headers.get("content-type", ""):
        return answer.status < 500
    try:
        return bool(json.loads(answer.body).get("error"))
    except ValueError:
        return answer.body == b""  # HEAD


async def looks(town: Town) -> None:
    """Whatever has been kept by now, every page that shows it can be opened."""
    await town.network.settle()
    town.network.clock.move(seconds=1)
    targets = [
        "/feed?tab=all",
        "/feed?tab=specialty",
        "/notices",
        "/colleagues?country=DE",
        "/api/feed?tab=all",
        "/feed?tab=questions",
        "/feed/new?tab=all&since=1-A",
    ]
    targets.append(profile_path(town.anna, town.fr))
    for row in await rows(town.fr.node, "select slug from posts order by received_at desc limit 3"):
        targets += [f"/posts/{row['slug']}", f"/posts/{row['slug']}/history"]
    for target in targets:
        answer = await town.visitor.get(target)
        assert answer.status in (200, 404), (target, answer.status)


# ── any request at all ──

PATHS = st.one_of(
    st.sampled_from(
        [
            "/", "/inbox", "/outbox", "/actor", "/feed", "/api/feed", "/feed/new", "/write", "/sign-in", "/sign-out",
            "/notices", "/colleagues", "/doctors/marie", "/doctors/marie/inbox", "/doctors/marie/outbox", "/doctors/x/y/z",
            "/doctors/anna@de.example", "/posts/x", "/posts/x/context", "/comments/x", "/activities/x", "/nodeinfo/2.1",
            "/.well-known/webfinger", "/.well-known/webfinger?resource=acct:marie@fr.example",
            "/.well-known/webfinger?resource=%00", "/.well-known/nodeinfo", "/static/x/y", "/static/../../etc/passwd",
            "/.git/config", "/.env", "/robots.txt", "/favicon.ico", "/federation", "/language", "*", "",
            "http://evil.example/", "//evil.example", "/%2e%2e/%2e%2e", "/posts/%00", "/posts/%ff", "/\\", "/me",
            "/account", "/doctors/marie/follow",
        ]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40).map(lambda text: "/" + text),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(
        lambda text: "/.well-known/webfinger?resource=" + text
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(lambda text: "/feed?" + text),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(lambda text: "/feed/new?" + text),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(lambda text: "/colleagues?" + text),
)  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", ""])
NAMES = st.sampled_from(
    [
        "Host", "Date", "Digest", "Content-Digest", "Signature", "Signature-Input", "Content-Type", "Content-Length",
        "Transfer-Encoding", "Content-Encoding", "Accept", "Accept-Language", "Cookie", "Authorization", "Range",
        "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Sec-Fetch-Site", "Origin", "Referer", "User-Agent",
        "If-None-Match", "If-Modified-Since", "Expect", "Upgrade", "Connection",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [
            "fr.example", "evil.example", "application/activity+json", "text/html", "multipart/form-data; boundary=x",
            "multipart/form-data", "application/x-www-form-urlencoded; charset=utf-7", "chunked", "gzip", "-1", "0", "x",
            "99999999999999999999", "__Host-session=x", '__Host-session="', "same-origin", "bytes=0-1", "*/*;q=x",
            'keyId="https://de.example/doctors/anna#main-key",signature="AAAA",headers="date"', "sig1=:AAAA:",
            'sig1=("@method");created=1', "1, 1", "application/x-www-form-urlencoded",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
)  # fmt: skip


@settings(MANY, max_examples=examples(250))
@given(
    method=METHODS,
    path=PATHS,
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    body=st.binary(max_size=200),
    at_home=st.booleans(),
    signed_in=st.booleans(),
)
async def test_any_request_is_answered(town, method, path, headers, body, at_home, signed_in):
    """Any method, path, headers and body, with and without a session."""
    town.network.clock.move(seconds=2)
    sent = [*([("Host", "fr.example")] if at_home else []), *headers]
    if signed_in:
        sent += [("Cookie", f"__Host-session={town.visitor.token}"), ("Sec-Fetch-Site", "same-origin")]

    answer = await call(town.fr.app, method, path, sent, body)

    assert is_an_answer(answer), (answer.status, answer.body[:200])


# ── real signed messages, mutated ──


@settings(MANY, max_examples=examples(120))
@given(
    profile=st.sampled_from(list(Profile)),
    target=st.sampled_from(["/inbox", "/doctors/marie/inbox"]),
    header=st.sampled_from(
        ["Signature", "Signature-Input", "Date", "Digest", "Content-Digest", "Content-Type", "body"]
    ),
    at=st.integers(0, 400),
    junk=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=5),
    cut=st.integers(0, 6),
)
async def test_a_real_message_mutated_is_answered(town, profile, target, header, at, junk, cut):
    """A few characters cut out of, or put into, any header or the body of a message that was good."""
    town.network.clock.move(seconds=2)
    body = render.activity(a_create(town.anna))
    key = await town.anna.place.node.keys.signing_key(town.anna.uri, profile)
    headers = sign("POST", Uri.parse(town.fr.node.origin + target), body, key, profile, town.network.clock())
    if header == "body":
        body = body[:at] + junk.encode("latin-1") + body[at + cut :]
    elif header in headers:
        headers[header] = headers[header][:at] + junk + headers[header][at + cut :]

    answer = await town.fr.request("POST", target, headers, body)

    assert is_an_answer(answer), (answer.status, answer.body[:200])
    assert answer.status < 500


# ── valid activities, bent, signed by a real verified doctor ──

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=30),
    st.sampled_from(
        [
            "https://de.example/doctors/anna", "https://fr.example/doctors/marie", "https://evil.example/x", "as:Public",
            "https://de.example/posts/1", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-30", "",
            "1969-12-31T23:59:59Z", "2026-11-23T12:00:00.123456789Z", "Person", "Article", "Note", "Tombstone",
            "https://de.example/../x", "https://de.example/%zz", "https://de.example:0/", "http://127.0.0.1/", "news",
            "x" * 5_000, "\u202e", "\ud83d\ude00", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "' or 1=1 --", "@id",
            "de", "zz", "cardiology", "no-such-specialty",
        ]
    ),
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=10) | st.sampled_from(["id", "type"]), inner, max_size=4),
    ),
    max_leaves=10,
)
KINDS = (Follow, Like, Announce, Undo, Delete, Accept, Reject, Update, Flag)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += paths_of(inner, (*path, index))
    return found


def put(document: Any, path: tuple[Any, ...], value: Any, drop: bool) -> None:
    """Change or drop one place."""
    for step in path[:-1]:
        document = document[step]
    if drop:
        del document[path[-1]]
    else:
        document[path[-1]] = value


async def good_document(town: Town, number: int) -> dict[str, Any]:
    """One of the valid things a German doctor may say here."""
    anna = town.anna
    ours = home_uri(town.fr, town.slug)
    if number == 0:
        return dict(render.document(a_create(anna, a_post(anna, mentions=()))))
    if number == 1:
        return dict(render.document(a_create(anna, a_comment(anna, ours))))
    if number == 2:
        doctor = await anna.place.node.people.doctor_document("anna")
        return dict(render.document(an_act(anna, Update, object=doctor)))
    if number == 3:
        post = a_post(anna)
        return dict(render.document(an_act(anna, Update, object=post, to=post.to, cc=post.cc)))
    kind = KINDS[number % len(KINDS)]
    target = ours if number % 2 else town.marie.uri
    fields = {"objects": (target,), "reason": "other"} if kind is Flag else {"object": target}
    return dict(render.document(an_act(anna, kind, **fields)))


async def test_the_valid_activities_are_valid(town):
    """The twin: unbent, each is taken in, or refused for what it is about and not for its form."""
    for number in range(21):
        town.network.clock.move(minutes=2)
        answer = await town.anna.sends(town.fr, json.dumps(await good_document(town, number)).encode())
        code = json.loads(answer.body).get("error") if answer.body else ""

        assert (answer.status, code) in {
            (202, ""), (403, "foreign_origin"), (403, "no_such_relation"), (403, "not_visible"),
        }, number  # fmt: skip


@settings(MANY, max_examples=examples(300))
@given(
    number=st.integers(0, 20),
    profile=st.sampled_from(list(Profile)),
    changes=st.lists(st.tuples(st.integers(0, 200), JSON, st.booleans()), min_size=1, max_size=3),
)
async def test_a_valid_activity_bent_is_answered(town, number, profile, changes):
    """Any one to three places of a valid activity changed or dropped, by a verified doctor: receipt or refusal."""
    town.network.clock.move(minutes=2)  # a bent Update may have cost Anna her mark until she is read again
    document = json.loads(json.dumps(await good_document(town, number)))
    for place, value, drop in changes:
        places = paths_of(document)
        if places:
            put(document, places[place % len(places)], value, drop)
    try:
        body = json.dumps(document).encode()
    except (ValueError, UnicodeEncodeError):
        return

    answer = await town.anna.sends(town.fr, body, profile=profile)

    assert is_an_answer(answer), (answer.status, answer.body[:200])
    assert answer.status in (202, 400, 401, 403, 413, 429)


async def test_what_got_through_can_be_looked_at(town):
    """After everything above: the feeds, the profile, the notices and the newest posts still open."""
    await looks(town)


HOSTILE: dict[str, dict[str, Any]] = {
    "times": {"published": "1970-01-01T00:00:00Z", "updated": "9998-12-31T23:59:59Z"},
    "a specialty nobody knows": {"specialty": ["no-such-specialty"]},
    "a language nobody speaks": {"contentMap": {"zz": "<p>x</p>"}, "content": "<p>x</p>"},
    "nothing in it": {"contentMap": {"en": ""}, "content": ""},
    "script": {"contentMap": {"en": "<script>x</script><p onclick=x>y</p>"}, "content": None},
    "template": {"name": "{{ 7*7 }} {% include 'x' %} %(x)s {0.__class__}"},
    "format": {"name": "%s%n%d", "contentMap": {"en": "<p>{config}</p>"}, "content": None},
    "right to left": {"name": "\u202eabc\u202c"},
    "one long word": {"name": "W" * 200, "contentMap": {"en": "<p>" + "w" * 60_000 + "</p>"}, "content": None},
    "deep html": {"contentMap": {"en": "<ul><li>" * 2_000}, "content": None},
    "source": {"source": "javascript:alert(1)", "doi": "'\"><script>", "event": "x" * 200},
    "facts": {"clinicalSummary": {"a": [[[[1]]]], "ageBand": "<b>"}, "consent": {"x": None}, "screening": {"": ""}},
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_case_breaks_no_page(town, case):
    """A86, A123, A124: whatever a sibling's doctor may write, the pages show it as text or the door refuses it."""
    town.network.clock.move(minutes=2)
    document = json.loads(render.activity(a_create(town.anna)))
    changes = {name: value for name, value in HOSTILE[case].items() if value is not None}
    document["object"] |= changes
    if HOSTILE[case].get("content", "") is None:
        document["object"].pop("content", None)

    answer = await town.anna.sends(town.fr, json.dumps(document).encode())
    await looks(town)
    pages = [(await town.visitor.text("/feed?tab=all"))]
    pages += [await town.visitor.text(f"/posts/{row['slug']}") for row in await rows(
        town.fr.node, f"select slug from posts where uri = '{document['object']['id']}'")]  # fmt: skip

    assert answer.status in (202, 400)
    for page in pages:
        assert "<script>" not in page
        assert "onclick=" not in page
        assert ">49 " not in page


# ── documents of other software ──


def load(path: Path) -> Any:
    """A public example, or None where it is no JSON."""
    with contextlib.suppress(ValueError):
        return json.loads(path.read_bytes())
    return None


@pytest.mark.parametrize("folder", ["activities", "as2"])
async def test_documents_of_other_software_are_answered(town, folder):
    """Public examples, as they are, and as if Anna had said them: signed by her, posted, never a fault."""
    files = [path for path in vector_files(folder) if isinstance(path, Path)]
    if not files:
        pytest.skip("the public test data is not beside this checkout")
    faults, answers = [], 0
    for path in files:
        document = load(path)
        variants = [path.read_bytes()]
        if isinstance(document, dict):
            mine = {**document, "id": new_id(town.anna.place.node.origin, "activities"), "actor": town.anna.uri}
            ours = {**mine, "@context": json.loads(render.activity(a_create(town.anna)))["@context"]}
            wrapped = {**ours, "type": "Create", "object": {**document, "attributedTo": town.anna.uri}}
            variants += [json.dumps(one).encode() for one in (mine, ours, wrapped)]
        for body in variants:
            town.network.clock.move(seconds=1)
            answer = await town.anna.sends(town.fr, body)
            answers += 1
            if not is_an_answer(answer) or answer.status >= 500:
                faults.append((path.name, answer.status))
    await looks(town)

    assert [] == faults
    assert answers >= len(files)


# ── forms of a signed-in doctor ──

FORMS = st.sampled_from(
    [
        "/write", "/posts/{slug}/edit", "/posts/{slug}/answers", "/posts/{slug}/thanks", "/posts/{slug}/recommend",
        "/posts/{slug}/report", "/doctors/marie/follow", "/doctors/anna@de.example/follow",
        "/doctors/anna@de.example/block", "/doctors/anna@de.example/unblock", "/doctors/anna@de.example/accept",
        "/comments/x/edit", "/comments/x/withdraw", "/notices/read", "/language", "/me", "/me/profile", "/me/password",
        "/me/sessions", "/me/sessions/end-others", "/me/preferences", "/account", "/sign-in",
    ]
)  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "kind", "title", "text", "specialty", "language", "audience", "named", "form_key", "parent", "reason", "back",
            "undo", "login", "password", "old", "new", "summary", "languages", "appearance", "text_size", "reading",
            "verified", "role", "next",
        ]
    ),
    st.one_of(
        st.text(max_size=60), st.lists(st.text(max_size=10), max_size=5),
        st.sampled_from(
            [
                "case", "news", "federation", "public", "named", "national", "en", "cardiology", "marie", "anna@de.example",
                "x@evil.example", "@@", "\0", "//evil.example", "https://evil.example", "/feed", "x" * 70_000, "identity",
                "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            ]
        ),
    ),
    max_size=8,
)  # fmt: skip


@settings(MANY, max_examples=examples(150))
@given(form=FORMS, fields=FIELDS, token=st.sampled_from(["own", "none", "other"]))
async def test_any_form_is_answered(town, form, fields, token):
    """Any fields in any form, with and without the session's token; a redirect stays on our own pages (A120)."""
    town.network.clock.move(minutes=40)
    if (await town.visitor.get("/feed")).status == 303:  # the session ran out, or was ended by a form
        fresh = await Visitor.of(town.marie)
        town.visitor.token, town.visitor.csrf = fresh.token, fresh.csrf
    if token != "own":
        fields = {**fields, "csrf": "" if token == "none" else "x"}

    answer = await town.visitor.post(form.format(slug=town.slug), **fields)

    assert is_an_answer(answer), (form, answer.status, answer.body[:200])
    assert answer.status < 500 or answer.status == 502
    assert answer.headers.get("location", "/").startswith("/")
    assert not answer.headers.get("location", "/").startswith("//")


async def test_what_the_instance_actor_says_is_answered(town):
    """Housekeeping with nonsense in it, by the instance key."""
    key = await instance_key(town.anna.place)
    house = Person(town.anna.place, "actor", town.anna.place.node.actor)
    for number in range(21):
        town.network.clock.move(seconds=2)
        document = await good_document(town._replace(anna=town.anna), number)
        document["actor"] = house.uri
        answer = await send_signed(town.fr, json.dumps(document).encode(), key)
        assert is_an_answer(answer)
        assert answer.status < 500
    await looks(town)
