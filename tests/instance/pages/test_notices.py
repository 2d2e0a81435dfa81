"""The page of notices and the page of how one is told of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from instance.services import notice_wishes
from instance.services.notice_kinds import Filter, Group, Way
from instance.times import to_ms
from instance.views import notices
from tests.instance.pages.house import House
from tests.instance.pages.rows import DE, NOW, Rows

HOUR = timedelta(hours=1)


class Scene:
    """Rows written beside a house that is open."""

    def __init__(self, house: House) -> None:
        self.house, self.number = house, 0
        self.rows = Rows(house.node.config.data / "esanum.db", _number=1_000)

    def __enter__(self) -> Scene:
        self.rows.__enter__()
        return self

    def __exit__(self, *given: Any) -> None:
        self.rows.__exit__(*given)

    def doctor(self, handle: str) -> str:
        """The address of one of the scene."""
        found = self.rows._db.execute("select uri from doctors where handle = ?", [handle]).fetchone()
        return str(found[0])

    def notice(self, kind: str, actor: str, post: str, *, ago: timedelta, about: str = "", read: bool = False) -> str:
        """Marie is told something, that long ago."""
        self.number += 1
        at = to_ms(NOW - ago)
        # As ids are: they rise with the time.
        id = f"{at:013d}{self.number:013d}"
        self.rows.insert(
            "notifications", id=id, doctor=self.doctor("marie"), kind=kind, actor=actor, post=post,
            object=about or f"about {self.number}", at=at, read_at=at if read else None,
        )  # fmt: skip
        return id


@pytest.fixture
def scene(house: House) -> Scene:
    """Marie's own question, and nothing told yet."""
    with Scene(house) as scene:
        scene.rows._db.execute("delete from notifications")
    return scene


def own_post(scene: Scene) -> str:
    """Marie's question."""
    query = "select slug from posts where kind = 'question'"
    return str(scene.rows._db.execute(query).fetchone()[0])


async def shown(house: House, scene: Scene, before: str = "", filter: Filter = Filter.EVERYTHING) -> Any:
    """Marie's page."""
    return await notices.notices(house.node.store, f"{house.node.origin}/doctors/marie", before, filter)


async def at_notices(house: House, login: str = "marie") -> Any:
    """Somebody who looks at the page, whose forms they have."""
    somebody = await house.doctor(login)
    await somebody.text("/notices")
    return somebody


async def test_what_several_did_stands_in_one_line(house: House, scene: Scene) -> None:
    """Of one day and one post, with how many there were; another day and another kind stand apart."""
    with scene:
        post, leo, anna = own_post(scene), scene.doctor("leo"), f"{DE}/doctors/anna.weber"
        scene.notice("answer", leo, post, ago=26 * HOUR)
        scene.notice("answer", leo, post, ago=3 * HOUR)
        scene.notice("answer", anna, post, ago=2 * HOUR)
        scene.notice("like", anna, post, ago=HOUR, read=True)
    page = await shown(house, scene)
    text = await (await house.doctor("marie")).text("/notices")

    assert [["answer", "like"], ["answer"]] == [[each.kind for each in day.notices] for day in page.days]
    assert [(1, 2), (0, 0), (0, 1)] == [(each.others, each.unread) for each in page.notices]
    assert re.search(r"Weber</bdi></a> <span[^>]*>\(Germany\)</span> and 1 other answered", text)


async def test_a_line_leads_to_the_first_that_is_unread(house: House, scene: Scene) -> None:
    """Not to the newest: what was missed is read in its order."""
    with scene:
        post, leo = own_post(scene), scene.doctor("leo")
        slugs = [scene.rows.comment(leo, post, f"<p>{number}</p>") for number in range(3)]
        for number, slug in enumerate(slugs):
            about = scene.rows.uri_of(slug, "comments")
            scene.notice("answer", leo, post, ago=HOUR * (5 - number), about=about, read=number == 0)
    (line,) = (await shown(house, scene)).notices

    assert (slugs[1], 2) == (line.comment, line.unread)


async def test_one_line_is_read_without_the_others(house: House, scene: Scene) -> None:
    """And opening the post reads what is told of it, and nothing else."""
    with scene:
        post, leo = own_post(scene), scene.doctor("leo")
        scene.notice("answer", leo, post, ago=HOUR)
        scene.notice("reply", leo, post, ago=2 * HOUR)
        scene.notice("followed", leo, "", ago=3 * HOUR)
    marie = await at_notices(house)
    line = next(each for each in (await shown(house, scene)).notices if each.kind == "answer")
    await marie.post("/notices/read", kind="answer", post=post, first=line.first, last=line.last)
    one = {each.kind: each.unread for each in (await shown(house, scene)).notices}
    await marie.get(f"/posts/{post}")
    all_of_it = {each.kind: each.unread for each in (await shown(house, scene)).notices}
    await marie.post("/notices/read")
    nothing = {each.unread for each in (await shown(house, scene)).notices}

    assert {"answer": 0, "reply": 1, "followed": 1} == one
    assert {"answer": 0, "reply": 0, "followed": 1} == all_of_it
    assert {0} == nothing


async def test_nobody_reads_for_somebody_else(house: House, scene: Scene) -> None:
    """The ids of another's notices change nothing."""
    with scene:
        post, leo = own_post(scene), scene.doctor("leo")
        id = scene.notice("answer", leo, post, ago=HOUR)
    other = await at_notices(house, "leo")
    await other.post("/notices/read", kind="answer", post=post, first=id, last=id)
    await other.post("/notices/read")

    assert [1] == [each.unread for each in (await shown(house, scene)).notices]


async def test_the_page_is_narrowed(house: House, scene: Scene) -> None:
    """To requests, to answers; anything else shows everything."""
    with scene:
        post, leo = own_post(scene), scene.doctor("leo")
        for kind in ("named", "asked", "answer", "resolved", "followed", "standing"):
            scene.notice(kind, leo, "" if kind in ("followed", "standing") else post, ago=HOUR)
    kinds = {filter: {each.kind for each in (await shown(house, scene, filter=filter)).notices} for filter in Filter}
    marie = await house.doctor("marie")
    empty = await marie.text("/notices?show=nothing")

    assert {"named", "asked"} == kinds[Filter.REQUESTS]
    assert {"answer", "resolved"} == kinds[Filter.ANSWERS]
    assert 6 == len(kinds[Filter.EVERYTHING])
    assert 'href="/notices" aria-current="page"' in empty


async def test_pages_end_where_days_end(house: House, scene: Scene) -> None:
    """Nothing is shown twice, nothing is left out, and no line is torn apart."""
    with scene:
        post, leo = own_post(scene), scene.doctor("leo")
        for day in range(6):
            for _ in range(90):
                scene.notice("answer", leo, post, ago=timedelta(days=day, hours=1))
    lines, before = [], ""
    for _ in range(10):
        page = await shown(house, scene, before)
        lines += [(day.at, each.unread) for day in page.days for each in day.notices]
        before = page.next
        if not before:
            break

    assert [90] * 6 == [number for _, number in lines]
    assert 6 == len({at for at, _ in lines})


async def test_a_muted_colleague_is_on_no_page(house: House, scene: Scene) -> None:
    """Nor in the number beside the bell; a report is nobody's to mute."""
    with scene:
        post, leo = own_post(scene), scene.doctor("leo")
        scene.notice("answer", leo, post, ago=HOUR)
        scene.notice("reported", leo, post, ago=HOUR)
        scene.rows.insert("mutes", doctor=scene.doctor("marie"), muted=leo, at=0)

    assert ["reported"] == [each.kind for each in (await shown(house, scene)).notices]
    assert 1 == await notices.unread(house.node.store, f"{house.node.origin}/doctors/marie")


async def test_wishes_are_kept_as_they_were_chosen(house: House) -> None:
    """And stand in the form again; whoever chose nothing is told on the page alone."""
    marie = await at_notices(house)
    uri = f"{house.node.origin}/doctors/marie"
    before = await notice_wishes.read(house.node.store, uri)
    form = {
        "push-answers": "1", "mail-answers": "daily", "mail-requests": "now", "quiet_from": "22", "quiet_until": "7",
        "digest_day": "0", "digest_hour": "8", "zone": "Indian/Reunion",
    }  # fmt: skip
    answer = await marie.post("/me/notifications", **form)
    wishes = await notice_wishes.read(house.node.store, uri)
    text = await marie.text("/me/notifications?saved=wishes")

    assert not before.mailed
    assert 303 == answer.status_code
    assert {Way.PUSH, Way.DAILY} == wishes.ways[Group.ANSWERS]
    assert ((22, 7), (0, 8), "Indian/Reunion") == (wishes.quiet, wishes.digest, wishes.zone)
    assert "Your choice is saved." in text
    assert '<option value="daily" selected>' in text
    assert "Reports, for staff" not in text


@pytest.mark.parametrize(
    "form", [{"quiet_from": "22"}, {"digest_day": "8"}, {"zone": "x"}, {"digest_day": "0", "digest_hour": "٧"}]
)
async def test_what_is_no_time_is_named(house: House, form: dict[str, str]) -> None:
    """Nothing is kept of it."""
    marie = await at_notices(house)
    answer = await marie.post("/me/notifications", **form)

    assert 422 == answer.status_code
    assert "bad_time" in (await answer.get_data()).decode()
    assert not (await notice_wishes.read(house.node.store, f"{house.node.origin}/doctors/marie")).mailed


@pytest.mark.parametrize("login", ["staff", "out", "late"])
async def test_who_does_not_read_has_no_such_page(house: House, login: str) -> None:
    """Neither staff who are no doctors, nor whoever is suspended or was verified too long ago."""
    somebody = await house.doctor(login)

    assert 403 == (await somebody.get("/me/notifications")).status_code
    assert 403 == (await somebody.post("/me/notifications/device", endpoint="x")).status_code


async def test_mails_are_switched_off_without_signing_in(house: House) -> None:
    """On a page that says nothing of whose they are; a wrong token is answered alike."""
    marie = await at_notices(house)
    await marie.post("/me/notifications", **{"mail-answers": "now"})
    uri = f"{house.node.origin}/doctors/marie"
    row = await house.node.store.one("notifications.whom", doctor=uri)
    visitor = house.visitor()
    asked = await visitor.text(f"/mail/off/{row['off_token']}")
    wrong = await (await visitor.post("/mail/off", token="wrong")).get_data()
    kept = (await notice_wishes.read(house.node.store, uri)).mailed
    done = await (await visitor.post("/mail/off", token=row["off_token"])).get_data()

    assert "marie" not in asked.casefold()
    assert (wrong, True) == (done, kept)
    assert not (await notice_wishes.read(house.node.store, uri)).mailed


async def test_the_worker_stands_at_the_root(house: House) -> None:
    """For everybody, kept by nobody between the device and us; it holds nothing of anybody."""
    answer = await house.visitor().get("/worker.js")

    assert (200, "private, no-store") == (answer.status_code, answer.headers["Cache-Control"])
    assert answer.content_type.startswith("text/javascript")
