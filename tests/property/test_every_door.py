"""Every address there is, over worlds made at random: what it shows is what the one rule lets through (N7 to N12).

The addresses are read from the application, and from the code of the doors in front of it: one that is new and stands in
no table here fails `test_every_address_has_its_line`. To add a door:

* A page of doctors that lists or counts: a line in `PAGES` with `eye.shows(address, labels)`; what may be on it comes
  from `World` (`sees`, `sees_answer`, `is_told`, `finds`), and never from the product.
* A page about one post or answer: `eye.opens("/posts/{slug}/…", posts, may)`: for whoever may not it is, byte by byte,
  what it is for something that never was.
* A form about one: the same in `FORMS` with `eye.refuses(…)`. Only those who may not are asked: nothing is changed.
* A page or form that has to do with no post or answer: `silent(address)`, or `apart("why")` where there is nothing to ask.
* What siblings read: `SIBLINGS` (tests/property/sibling_doors.py).

What is open to others than doctors needs no line: it is opened as it is, and must show nothing of any world.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings

from federation.uri import Uri
from instance.asgi import FederationApp
from tests.network.scene import Visitor
from tests.property.eyes import LABEL, NEVER, Check, Eye, May, Thing, apart, plainly, silent
from tests.property.sibling_doors import SIBLINGS
from tests.property.worlds import HERE, NOW, SPECIALTIES, Answer, Doctor, Post, World, worlds, write
from tests.tools.docs_parts import page_routes
from tests.town import Network, Person, Place

pytestmark = pytest.mark.asyncio(loop_scope="module")

# ── what the oracle says, as labels ──


def posts(eye: Eye, keep: Callable[[Post], bool] = lambda post: True) -> set[str]:
    """The posts the reader may see, of those to be kept."""
    return {post.label for post in eye.world.posts if eye.world.sees(eye.reader, post) and keep(post)}


def answers(eye: Eye, keep: Callable[[Answer], bool] = lambda answer: True) -> set[str]:
    """The answers the reader may see, of those to be kept."""
    return {each.label for each in eye.world.answers if eye.world.sees_answer(eye.reader, each) and keep(each)}


def muted(eye: Eye) -> set[str]:
    """Posts of those the reader has muted: a feed may leave them out."""
    return {post.label for post in eye.world.posts if (eye.reader, post.author) in eye.world.mutes}


def sees(world: World, reader: Doctor, post: Post) -> bool:
    """May read the post."""
    return world.sees(reader, post)


def wrote(world: World, reader: Doctor, thing: Thing) -> bool:
    """Is the author of something that may be read."""
    seen = world.sees(reader, thing) if isinstance(thing, Post) else world.sees_answer(reader, thing)
    return seen and thing.author is reader


def sees_answer(world: World, reader: Doctor, answer: Answer) -> bool:
    """May read the answer."""
    return world.sees_answer(reader, answer)


def may_take_back(world: World, reader: Doctor, answer: Answer) -> bool:
    """Is its author, whatever has become of the discussion."""
    return answer.author is reader and not answer.withdrawn


def sees_or_wrote(world: World, reader: Doctor, thing: Thing) -> bool:
    """Knows of it: may read it, or is its author. Whoever may only read it is told that it is another's."""
    seen = world.sees(reader, thing) if isinstance(thing, Post) else world.sees_answer(reader, thing)
    return seen or thing.author is reader


# ── the doors for people ──


async def feeds(eye: Eye, path: str) -> None:
    """The three tabs."""
    specialty = posts(eye, lambda post: post.specialty == SPECIALTIES[0])
    colleagues = posts(eye, lambda post: eye.world.follows_accepted(eye.reader, post.author))
    for tab, expected in (("all", posts(eye)), ("specialty", specialty), ("colleagues", colleagues)):
        await eye.shows(f"{path}?tab={tab}", expected, muted(eye))


async def feed(eye: Eye) -> None:
    """The feed as a page."""
    await feeds(eye, "/feed")


async def feed_json(eye: Eye) -> None:
    """The feed as a document."""
    await feeds(eye, "/api/feed")


async def search(eye: Eye) -> None:
    """The word of the world finds what may be seen of nobody muted; a colleague by name."""
    quiet = {other for one, other in eye.world.mutes if one is eye.reader}
    expected = {
        "posts": posts(eye, lambda post: post.author not in quiet),
        "comments": answers(eye, lambda each: not {each.author, each.post.author} & quiet),
    }
    for thing in ("posts", "comments"):
        sent = await eye.visitor.post("/search", q=eye.world.word, thing=thing)
        if not eye.may_read:
            assert 403 == sent.status
            continue
        target = sent.headers["location"]
        # An answer is shown with the title of its discussion.
        titles = {each.post.label for each in eye.world.answers if each.label in expected["comments"]}
        await eye.shows(target, expected[thing] | (titles if thing == "comments" else set()))
        number = re.search(
            rb'<h2 id="found-\w+">[^<]*<span class="count">\((\d+)\)', (await eye.visitor.get(target)).body
        )
        assert len(expected[thing]) == (int(number[1]) if number else 0)


async def post_pages(eye: Eye) -> None:
    """A post's page opens for whoever may read it, with the answers that may be read."""
    await eye.opens("/posts/{slug}", eye.world.posts, sees)
    for post in eye.world.posts:
        if eye.may_read and eye.world.sees(eye.reader, post):
            await eye.shows(
                f"/posts/{post.slug}", {post.label} | answers(eye, lambda each, post=post: each.post is post)
            )


async def profiles(eye: Eye) -> None:
    """A doctor's page: what of theirs may be read; of whoever is hidden there is none."""
    for doctor in eye.world.doctors:
        await eye.shows(f"/doctors/{doctor.address}", posts(eye, lambda post, doctor=doctor: post.author is doctor))
        if eye.world.hidden(doctor):
            never = doctor.address.replace(doctor.handle, "z" * len(doctor.handle))
            answers = [await eye.visitor.get(f"/doctors/{address}") for address in (never, doctor.address)]
            assert plainly(answers[0], never) == plainly(answers[1], doctor.address)


async def people(eye: Eye) -> None:
    """Whoever is looked for by name is found where they may be, and nowhere else."""
    answer = await eye.visitor.get(f"/colleagues?q={eye.world.name}")
    # Above it stand those who have asked to follow the reader.
    _, _, found = answer.body.decode().partition('id="found"')
    shown = set(re.findall(r'class="handle">@([^<]+)', found))
    expected = {other.address for other in eye.world.doctors if eye.world.finds(eye.reader, other)}

    assert (expected if eye.may_read else set()) == shown
    await silent("/colleagues")(eye)


async def notices(eye: Eye) -> None:
    """Titles of what one is told of, and the number beside the bell."""
    told = [notice for notice in eye.world.notices if eye.world.is_told(eye.reader, notice)]
    await eye.shows("/notices", {notice.post.label for notice in told if notice.post})
    if eye.may_read:
        badge = re.search(rb'class="badge"[^>]*><span aria-hidden="true">(\d+)', (await eye.visitor.get("/help")).body)
        assert len(told) == (int(badge[1]) if badge else 0)


async def arrived(eye: Eye) -> None:
    """How many posts have come while one reads: those that may be seen, and no more."""
    for post in eye.world.posts:
        answer = await eye.visitor.get(f"/feed/new?tab=all&since={NOW + post.number}-{post.slug}")
        if not eye.may_read:
            assert 403 == answer.status
            continue
        later = {other.label for other in eye.world.posts if other.number > post.number}
        number = orjson.loads(answer.body)["new"]
        assert len((posts(eye) & later) - muted(eye)) <= number <= len(posts(eye) & later)


async def saved(eye: Eye) -> None:
    """Of what the reader has put on their list: what may be seen still."""

    async def mark(tx: Any) -> None:
        for post in eye.world.posts:
            await tx.run("cases.save", doctor=eye.reader.uri, post=post.uri, now=NOW)

    await eye.town["fr"].node.store.write(mark)
    await eye.shows("/me/saved", posts(eye))


async def own_list(eye: Eye) -> None:
    """What everybody wrote, on a list on which all stand; the twin: on the list of another nothing is."""
    made = await eye.visitor.post("/lists", name="All")
    if not eye.may_read:
        assert 403 == made.status
        return
    target = made.headers["location"]
    for doctor in eye.world.doctors:
        await eye.visitor.post(f"/doctors/{doctor.address}/list", list=target.rpartition("/")[2])
    await eye.shows(target, posts(eye, lambda post: post.author is not eye.reader), muted(eye))
    stranger = await Visitor.of(Person(eye.town["fr"], "stranger", Uri.parse(f"{HERE}/doctors/stranger")))
    never, others = await stranger.get(f"/lists/{NEVER}"), await stranger.get(target)
    assert plainly(never, NEVER) == plainly(others, target.rpartition("/")[2])


async def own_answers(eye: Eye) -> None:
    """The own words, and the title of a discussion only where it may still be read."""
    own = [each for each in eye.world.answers if each.author is eye.reader and not each.withdrawn]
    titles = {each.post.label for each in own if eye.world.sees(eye.reader, each.post)}
    await eye.shows("/me/answers", {each.label for each in own} | titles)


async def own_posts(eye: Eye) -> None:
    """The own posts that stand."""
    await eye.shows("/me/posts", posts(eye, lambda post: post.author is eye.reader))


def post_page(address: str, may: May = sees) -> Check:
    """A page about one post."""

    async def check(eye: Eye) -> None:
        await eye.opens(address, eye.world.posts, may)

    return check


def answer_page(address: str, may: May = sees_answer) -> Check:
    """A page about one answer."""

    async def check(eye: Eye) -> None:
        await eye.opens(address, eye.world.answers, may)

    return check


def post_form(address: str, may: May = sees, **form: str) -> Check:
    """A form about one post."""

    async def check(eye: Eye) -> None:
        await eye.refuses(address, eye.world.posts, may, **form)

    return check


def answer_form(address: str, may: May = sees_answer, **form: str) -> Check:
    """A form about one answer."""

    async def check(eye: Eye) -> None:
        await eye.refuses(address, eye.world.answers, may, **form)

    return check


#: Every page for doctors, and what is answered in front of them.
PAGES: Final[dict[str, Check]] = {
    "/api/feed": feed_json,
    "/colleagues": people,
    "/colleagues/<which>": silent("/colleagues/followers", "/colleagues/following", "/colleagues/blocked"),
    "/comments/<slug>": answer_page("/comments/{slug}"),
    "/comments/<slug>/edit": answer_page("/comments/{slug}/edit", wrote),
    "/comments/<slug>/history": answer_page("/comments/{slug}/history"),
    "/comments/<slug>/report": answer_page("/comments/{slug}/report"),
    "/comments/<slug>/withdraw": answer_page("/comments/{slug}/withdraw", may_take_back),
    "/contact": silent("/contact"),
    "/doctors/<address>": profiles,
    "/feed": feed,
    "/feed/new": arrived,
    "/lists": silent("/lists"),
    "/lists/<own_list>": own_list,
    "/me/answers": own_answers,
    "/me/card": silent("/me/card"),
    "/me/contact": silent("/me/contact"),
    "/me/move": silent("/me/move"),
    "/me/notifications": silent("/me/notifications"),
    "/me/posts": own_posts,
    "/me/profile": silent("/me/profile"),
    "/me/saved": saved,
    "/me/withdrawn": silent("/me/withdrawn"),
    "/me/withdrawn/<slug>": post_page(
        "/me/withdrawn/{slug}", lambda _, reader, post: post.author is reader and post.withdrawn
    ),
    # Nothing of a world is a bulletin; who sees those: tests/contract/test_who_sees_what.py
    "/news": silent("/news"),
    "/news/<specialty>": silent(*(f"/news/{specialty}" for specialty in SPECIALTIES)),
    "/notices": notices,
    "/posts/<slug>": post_pages,
    "/posts/<slug>/edit": post_page("/posts/{slug}/edit", wrote),
    "/posts/<slug>/history": post_page("/posts/{slug}/history"),
    "/posts/<slug>/poll": post_page("/posts/{slug}/poll", wrote),
    "/posts/<slug>/report": post_page("/posts/{slug}/report"),
    "/posts/<slug>/resolution": post_page("/posts/{slug}/resolution", wrote),
    "/posts/<slug>/withdraw": post_page("/posts/{slug}/withdraw", wrote),
    "/search": search,
    "/write": silent("/write"),
}  # fmt: skip

#: Every form for doctors.
FORMS: Final[dict[str, Check]] = {
    "/comments/<slug>/edit": answer_form("/comments/{slug}/edit", sees_or_wrote, text="x", language="en"),
    "/comments/<slug>/report": answer_form("/comments/{slug}/report", reason="other"),
    "/comments/<slug>/thanks": answer_form("/comments/{slug}/thanks"),
    "/comments/<slug>/withdraw": answer_form("/comments/{slug}/withdraw", sees_or_wrote),
    "/doctors/<address>/<act>": apart("says how two people stand to each other; who may be addressed: test_pages"),
    "/lists": apart("makes something new"),
    "/lists/<own_list>/<list_act>": apart("about an own list; that of another is none, as above"),
    "/me/contact": apart("about the own account"),
    "/me/move/from": apart("about the own account"),
    "/me/move/from/drop": apart("about the own account"),
    "/me/move/leave": apart("about the own account"),
    "/me/move/to": apart("about the own account"),
    "/me/notifications": apart("about the own account"),
    "/me/notifications/device": apart("about the own account"),
    "/me/notifications/device/off": apart("about the own account"),
    "/me/profile": apart("about the own account"),
    "/me/saved/remove": apart("takes off the own list what stands there, shown or not"),
    "/notices/read": apart("marks the reader's own notices, shown or not"),
    "/posts/<slug>/answers": post_form("/posts/{slug}/answers", text="x", language="en"),
    "/posts/<slug>/edit": post_form("/posts/{slug}/edit", title="x", text="x", kind="case", language="en"),
    "/posts/<slug>/follow": post_form("/posts/{slug}/follow"),
    "/posts/<slug>/mute": post_form("/posts/{slug}/mute"),
    "/posts/<slug>/poll": post_form("/posts/{slug}/poll", options="A\nB"),
    "/posts/<slug>/poll/close": post_form("/posts/{slug}/poll/close"),
    "/posts/<slug>/recommend": post_form("/posts/{slug}/recommend"),
    "/posts/<slug>/report": post_form("/posts/{slug}/report", reason="other"),
    "/posts/<slug>/reopen": post_form("/posts/{slug}/reopen"),
    "/posts/<slug>/resolution": post_form("/posts/{slug}/resolution", diagnosis="x"),
    "/posts/<slug>/save": post_form("/posts/{slug}/save"),
    "/posts/<slug>/thanks": post_form("/posts/{slug}/thanks"),
    "/posts/<slug>/vote": post_form("/posts/{slug}/vote", choice="0"),
    "/posts/<slug>/withdraw": post_form("/posts/{slug}/withdraw", sees_or_wrote),
    "/search": apart("leads to an address that is looked at as a page"),
    "/write": apart("makes something new"),
}  # fmt: skip


#: Each case of `FederationApp._get`: what is looked at above, and what is about no post or answer.
IN_FRONT: Final = {
    '"api", ["feed"]': "PAGES", '"feed", []': "PAGES", '"feed", ["new"]': "PAGES",
    '"events", [] if not query': "numbers and kinds alone: tests/instance/test_live.py",
    '"directory", [] | [_]': "whom siblings find: tests/network/test_directory.py", '"inbox", []': "shows nothing",
    '"siblings", [host, "refusals"]': "about the sibling itself",
    '( ("vc", ["status", _, _]) | ("audit", ["heads", _] | ["held"]) | ("federation", ["list", *_]) '
    '| ("siblings", ["set"] | [_, "log", _] | [_, "received", _, _]) )': "logs: tests/network/test_logs_kept_shut.py",
    '"actor" | "outbox" | ".well-known" | "nodeinfo", _': "of the instance",
    '"doctors" | "posts" | "comments" | "activities", [_, *_] if _for_machines(message, first, rest)': "SIBLINGS",
    "_": "the pages",
}  # fmt: skip


def cases(function: Callable[..., Any]) -> set[str]:
    """What a `match` of the application tells apart, in one line each."""
    found = re.findall(r"^ +case (.+?):\n", inspect.getsource(function), re.MULTILINE | re.DOTALL)
    return {re.sub(r"\s+", " ", case) for case in found}


async def test_every_address_has_its_line() -> None:
    """Whoever adds an address says here what may be seen behind it; and no line is about one that is gone."""
    doctors = [(rule, methods) for rule, methods, mark in page_routes() if mark == "doctor"]

    assert {rule for rule, methods in doctors if "GET" in methods} | {"/api/feed", "/feed/new"} == set(PAGES)
    assert {rule for rule, methods in doctors if "POST" in methods} == set(FORMS)
    assert cases(FederationApp._object) - {"_"} == set(SIBLINGS)
    assert cases(FederationApp._get) == set(IN_FRONT)


# ── the property ──


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: Any) -> AsyncIterator[Network]:
    """France, at whose doors people and Germany look; opened once."""
    network = await Network.open(tmp_path_factory.mktemp("doors"), "fr", "de")
    await network["fr"].doctor("stranger")
    yield network
    await network.close()


async def people_of(town: Network, world: World) -> list[Eye]:
    """Our doctors of a world, each at a browser, also whoever is suspended."""
    france: Place = town["fr"]
    persons = [(doctor, await france.doctor(doctor.handle)) for doctor in world.readers]
    await france.node.store.write(lambda tx: write(tx, world, people=False))
    await france.node.search.fill_all()
    for doctor in world.readers:
        if doctor.standing != "ok":
            await france.node.people.suspend(doctor.handle, by="test", reason="test")
    return [Eye(world, doctor, await Visitor.of(person), town) for doctor, person in persons]


MANY = settings(
    max_examples=16, deadline=None, database=None, derandomize=True,
    # A world that fails is small as it is; to look for a smaller one would take minutes.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@MANY
@given(world=worlds())
async def test_every_door_shows_what_the_rule_lets_through(town: Network, world: World) -> None:
    """Each page, form, document and collection, for everybody: what may be seen, and of the rest not that it is there."""
    eyes = await people_of(town, world)
    for check in SIBLINGS.values():
        await check(world, town)
    for eye in eyes:
        for check in (*PAGES.values(), *FORMS.values()):
            await check(eye)


async def test_what_is_open_to_others_shows_nothing(town: Network) -> None:
    """Pages that are not for doctors alone hold no word of any discussion, whoever opens them."""
    world = _one_world()
    (eye, *_) = await people_of(town, world)
    targets = [
        rule for rule, methods, mark in page_routes() if mark != "doctor" and "GET" in methods and "<" not in rule
    ]
    stranger = Visitor(town["fr"], "nobody")
    for target in targets:
        for visitor in (eye.visitor, stranger):
            assert not LABEL.search((await visitor.get(target)).body), target


def _one_world() -> World:
    """Somebody whose posts everybody may read."""
    doctors = [Doctor(f"one{letter}", HERE, "ok") for letter in "abc"]
    world = World(0, doctors, {})
    world.posts = [Post(9_000 + at, doctor, "federation", frozenset(), SPECIALTIES[0], False, False)
                   for at, doctor in enumerate(doctors)]  # fmt: skip
    return world
