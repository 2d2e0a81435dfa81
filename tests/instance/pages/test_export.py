"""The file of the own data: who may have it, what stands in it, and what never does."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from instance.times import to_ms
from tests.instance.pages.house import House, Visitor
from tests.instance.pages.newcomer import open_door
from tests.instance.pages.rows import DE, FR, NOW, PASSWORD, Rows
from verification.moves import State
from verification.standing import OwnAct, may_own

MARIE, LEO, ANNA = f"{FR}/doctors/marie", f"{FR}/doctors/leo", f"{DE}/doctors/anna.weber"
#: What belongs to others, or is nobody's to see: no file holds it.
NEVER = (b"MRT zuerst", b"IRM d", b"staff-01JDB", b"who voted", b"what was found", b"argon2", b"other words")


def unpacked(body: bytes) -> tuple[dict[str, Any], str]:
    """The document for programs and the page for people."""
    with ZipFile(io.BytesIO(body)) as packed:
        assert None is packed.testzip()
        assert ["data.json", "index.html"] == packed.namelist()
        return json.loads(packed.read("data.json")), packed.read("index.html").decode()


async def taken(somebody: Visitor) -> tuple[dict[str, Any], str]:
    """The file of whoever is signed in."""
    await somebody.get("/me/export")
    answer = await somebody.post("/me/export", factor_password=PASSWORD)
    assert (200, "application/zip") == (answer.status_code, answer.content_type), await answer.get_data(as_text=True)
    return unpacked(await answer.get_data())


def account_of(house: House, login: str) -> str:
    """The id of an account."""
    return str(query(house, "select id from accounts where login = ?", login)[0][0])


def query(house: House, statement: str, *values: object) -> list[Any]:
    """Rows, read beside the instance."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as db:
        return db.execute(statement, values).fetchall()


def dossier(rows: Rows, account: str, state: str, **more: object) -> str:
    """An application of an account, as far as it has come."""
    number, at = rows.ulid(), to_ms(NOW - timedelta(days=20))
    values = {
        "id": f"d-{number.lower()}", "account": account, "version": 1, "name": "Dr Marie Lefèvre", "folded": "marie",
        "handle": "marie", "specialties": '["cardiology"]', "languages": '["fr"]', "email": "m@mail.example",
        "country": "FR", "role": "specialist", "state": state, "changed_at": at, "sites": "[]", "round": 1,
        "appeal_round": 0, "emergency_confirmed": 0, "followed": 0, "open_hit": 1, "reminded": 0, "assurance": "high",
        "taken_by": "staff-01JDB", "submitted_at": at, "created_at": at,
    }  # fmt: skip
    rows.insert("dossiers", **(values | more))
    return str(values["id"])


def shown(rows: Rows, dossier: str) -> None:
    """What was shown with it, looked at, voted on and destroyed."""
    piece, at = rows.ulid().lower(), to_ms(NOW - timedelta(days=19))
    rows.insert(
        "evidence_pieces", id=piece, dossier=dossier, place=0, kind="diploma", rank="E2", automatic=0, matched=1,
        claim='{"proof":"licence"}', at=at,
    )  # fmt: skip
    rows.insert(
        "evidence_files", id="f1" + dossier, dossier=dossier, kind="diploma", media="image/png", pages=1, size=9,
        hash=b"\x07" * 32, stored_at=at, destroyed_at=at, destroyed_for="retention",
    )  # fmt: skip
    rows.insert("piece_files", file="f1" + dossier, piece=piece, at=at)
    rows.insert("findings", piece=piece, reviewer="staff-01JDB", facts='{"said":"what was found"}', at=at)
    rows.insert(
        "votes", dossier=dossier, annex="", round=1, reviewer="staff-01JDB", place=0, choice="approve",
        ground="who voted", at=at,
    )  # fmt: skip
    rows.insert(
        "dossier_notices", id=rows.ulid(), whom="applicant", dossier=dossier, country="FR", notice="more_needed",
        account=rows._db.execute("select account from dossiers where id = ?", (dossier,)).fetchone()[0],
        grounds='["unreadable"]', at=at,
    )  # fmt: skip


def log(rows: Rows, dossier: str, *acts: str) -> None:
    """Entries of the audit log, by a member of staff."""
    first = rows._db.execute("select coalesce(max(n), 0) + 1 from audit").fetchone()[0]
    for n, act in enumerate(acts, first):
        entry = {"n": n, "act": act, "at": "2026-11-04T12:00:00Z", "by": "staff-01JDB", "dossier": dossier}
        rows.insert("audit", n=n, entry=json.dumps(entry), hash=bytes(32), dossier=dossier)


@pytest.fixture
def rows(house: House) -> Any:
    """Writes more rows into the house."""
    made = Rows(house.node.config.data / "esanum.db", _number=5_000)
    with made:
        yield made


def commit(rows: Rows) -> None:
    """Let the instance see them."""
    rows._db.commit()


# ── what is in it ──


async def test_the_file_holds_what_is_the_owners(house: House, rows: Rows) -> None:
    """Profile, words with earlier versions, reactions, follows, blocks, notices, devices: in one document and one page."""
    post = query(house, "select uri from posts where author = ?", MARIE)[0][0]
    rows.insert("revisions", id=rows.ulid(), object=post, title="Avant", content="<p>Tel quel.</p>", at=to_ms(NOW))
    rows.insert("copies", object=post, origin=DE, sent_at=to_ms(NOW), delivered_at=to_ms(NOW))
    rows.insert("tombstones", uri=f"{FR}/posts/gone", origin=FR, actor=MARIE, former_type="Article", at=to_ms(NOW))
    rows.block(MARIE, f"{DE}/doctors/jonas")
    commit(rows)
    data, page = await taken(await house.doctor("marie"))

    assert ("esanum-export/1", FR, "2026-11-23T12:00:00Z") == (data["format"], data["instance"], data["made_at"])
    assert ["marie"] == [each["login"] for each in data["account"]]
    assert [(MARIE, ["cardiology"])] == [(each["uri"], each["specialties"]) for each in data["profile"]]
    assert [("Avant", "2026-11-23T12:00:00Z")] == [
        (each["title"], each["at"]) for each in data["posts"][0]["revisions"]
    ]
    assert [DE] == [each["origin"] for each in data["posts"][0]["copies"]]
    assert 1 == len(data["comments"])
    assert [f"{FR}/posts/gone"] == [each["uri"] for each in data["withdrawn"]]
    assert [f"{DE}/doctors/jonas"] == [each["doctor"] for each in data["blocks"]]
    assert ANNA in [each["doctor"] for each in data["following"]]
    assert {"follow_asked", "answer", "named", "follow_accepted"} == {each["kind"] for each in data["notices"]}
    assert 1 == len(data["sessions"])
    assert 1 == len(data["thanks"])
    assert "Quelle anticoagulation" in page
    assert "Tel quel." in page
    assert "No sport at all until the MRI" in page


async def test_the_verification_is_told_without_those_who_reviewed(house: House, rows: Rows) -> None:
    """What was shown, by hash and dates; what was told, with its reasons; who looked only as times."""
    made = dossier(rows, account_of(house, "marie"), "approved", approved_at=to_ms(NOW), doctor=MARIE)
    shown(rows, made)
    log(rows, made, "dossier.submitted", "evidence.viewed", "vote.cast", "dossier.approved", "evidence.erased")
    commit(rows)
    data, _ = await taken(await house.doctor("marie"))

    assert [("approved", "high")] == [(each["state"], each["assurance"]) for each in data["applications"]]
    assert [("E2", {"proof": "licence"})] == [(each["rank"], each["claim"]) for each in data["pieces"]]
    assert ["sha256:" + "07" * 32] == [each["hash"] for each in data["files"]]
    assert [("more_needed", ["unreadable"])] == [(each["notice"], each["grounds"]) for each in data["told"]]
    assert ["dossier.submitted", "evidence.viewed", "dossier.approved", "evidence.erased"] == [
        each["act"] for each in data["log"]
    ]
    assert {"at", "act", "dossier"} == {name for each in data["log"] for name in each}


async def test_nothing_of_a_running_review_is_told(house: House, rows: Rows) -> None:
    """A first vote looks like none: the state, the class of what was shown and who looked come with the decision."""
    made = dossier(rows, account_of(house, "staff"), "second_review")
    shown(rows, made)
    log(rows, made, "dossier.submitted", "evidence.viewed", "vote.cast", "dossier.second_review", "evidence.viewed")
    commit(rows)
    rows._db.execute("update accounts set roles = '[]' where login = 'staff'")
    commit(rows)
    data, page = await taken(await house.doctor("staff"))

    assert [("in_review", "")] == [(each["state"], each["assurance"]) for each in data["applications"]]
    assert [""] == [each["rank"] for each in data["pieces"]]
    assert [] == data["log"]
    assert "second_review" not in json.dumps(data) + page
    assert "changed_at" not in json.dumps(data)


async def test_nothing_of_others_is_in_it(house: House, rows: Rows) -> None:
    """Another's words, another's blocks of the owner, a reviewer, a vote, a finding, a secret: in nobody's file."""
    made = dossier(rows, account_of(house, "marie"), "approved", approved_at=to_ms(NOW), doctor=MARIE)
    shown(rows, made)
    rows.block(LEO, MARIE)
    rows.post(LEO, "other words", "<p>other words</p>")
    commit(rows)
    data, page = await taken(await house.doctor("marie"))
    everything = json.dumps(data, ensure_ascii=False).encode() + page.encode()

    assert [] == [words for words in NEVER if words in everything]
    assert [] == data["blocks"]
    assert LEO not in json.dumps(data["blocks"]) + json.dumps(data["following"])


async def test_each_gets_the_own_and_no_other(house: House, rows: Rows) -> None:
    """Whatever is said in the form or the address: the file is that of the session, and its name tells nobody whose."""
    leo = await house.doctor("leo")
    await leo.get("/me/export")
    other = account_of(house, "marie")
    answer = await leo.post(
        f"/me/export?account={other}&owner={MARIE}", account=other, owner=MARIE, factor_password=PASSWORD
    )
    data, page = unpacked(await answer.get_data())

    assert "leo" == data["account"][0]["login"]
    assert {LEO} == {each["uri"] for each in data["profile"]}
    assert "No sport at all until the MRI" not in json.dumps(data) + page
    assert 'attachment; filename="esanum-export-2026-11-23.zip"' == answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]


# ── who may ──


@pytest.mark.parametrize("login", ["marie", "late", "out", "paul", "staff"])
async def test_whoever_may_sign_in_may_take_the_file(house: House, login: str) -> None:
    """In good standing, run out, suspended, retired, and staff without a doctor; the page is listed under Me."""
    rows = query(house, "select roles from accounts where login = ?", login)
    with sqlite3.connect(house.node.config.data / "esanum.db") as db:
        db.execute("update accounts set roles = '[]' where login = 'staff'")
    somebody = await house.doctor(login)
    me, (data, _) = await somebody.text("/me"), await taken(somebody)

    assert 1 == len(rows)
    assert 'href="/me/export"' in me
    assert login == data["account"][0]["login"]


@pytest.mark.parametrize("state", list(State))
async def test_the_state_of_the_application_decides(house: House, rows: Rows, state: State) -> None:
    """As `may_own` says: page, file and link where it allows the export; 403 with a name and no link elsewhere."""
    marie = await house.doctor("marie")
    made = dossier(rows, account_of(house, "marie"), state.value)
    commit(rows)
    me, page = await marie.text("/me"), await marie.get("/me/export")
    answer = await marie.post("/me/export", factor_password=PASSWORD)
    allowed = may_own(OwnAct.EXPORT, state)

    assert allowed == ('href="/me/export"' in me)
    assert allowed == ('href="/me/export"' in await marie.text("/application"))
    assert (200, 200) == (page.status_code, answer.status_code) if allowed else (403, 403) == (
        page.status_code, answer.status_code,
    )  # fmt: skip
    assert allowed or "export_closed" in await page.get_data(as_text=True)
    assert int(allowed) == len(query(house, "select n from audit where dossier = ?", made))


async def test_a_stranger_is_led_to_the_sign_in(house: House) -> None:
    """Nobody without a session sees the page or gets a file."""
    stranger = house.visitor()
    page, answer = await stranger.get("/me/export"), await stranger.post("/me/export")

    assert (303, 303) == (page.status_code, answer.status_code)
    assert [] == query(house, "select n from audit")


async def test_a_factor_is_asked_for_first(house: House) -> None:
    """A password that is older than five minutes, or wrong, opens nothing; nothing is recorded."""
    marie = await house.doctor("marie")
    house.now += timedelta(minutes=6)
    await marie.get("/me/export")
    asked = await marie.post("/me/export")
    wrong = await marie.post("/me/export", factor_password="not the password")

    assert "application/zip" not in (asked.content_type, wrong.content_type)
    assert 'name="factor_password"' in await asked.get_data(as_text=True)
    assert [] == query(house, "select n from audit")


async def test_it_is_recorded_and_bounded(house: House, rows: Rows) -> None:
    """Three a day, each an entry of the log without a name; the fourth is told to come tomorrow, and may then."""
    made = dossier(rows, account_of(house, "marie"), "approved", approved_at=to_ms(NOW), doctor=MARIE)
    commit(rows)
    marie = await house.doctor("marie")
    for _ in range(3):
        await taken(marie)
    refused = await marie.post("/me/export")
    text = await refused.get_data(as_text=True)
    entries = [json.loads(each[0]) for each in query(house, "select entry from audit order by n")]
    house.now += timedelta(days=1, minutes=1)
    again, _ = await taken(await house.doctor("marie"))

    assert (429, "text/html") == (refused.status_code, refused.mimetype)
    assert re.search("there were 3 within a day", text)
    assert [("export.made", "applicant", made, "request")] * 3 == [
        (each["act"], each["by"], each["dossier"], each["reason"]) for each in entries
    ]
    assert ["export.made"] * 3 == [each["act"] for each in again["log"]]


async def test_a_file_that_fails_is_no_file(house: House) -> None:
    """Rows that cannot be read end in a fault without a byte of the file, no entry, and no file less for the day."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as db:
        db.execute("update doctors set specialties = '[' where handle = 'leo'")
        db.execute("update doctors set also_known_as = '[' where handle = 'marie'")
    marie = await house.doctor("marie")
    await marie.get("/me/export")
    answers = [await marie.post("/me/export", factor_password=PASSWORD) for _ in range(4)]

    assert [500] * 4 == [each.status_code for each in answers]
    assert [] == query(house, "select n from audit")
    assert [] == query(house, "select id from sign_in_failures")


async def test_an_applicant_reads_the_own_number(tmp_path: Path) -> None:
    """Sealed in the rows and open in the file of whoever typed it; and the file lies nowhere afterwards."""
    door = await open_door(tmp_path)
    somebody = await door.joins(role="generalist")
    await somebody.get("/application/add/registration")
    added = await somebody.post(
        "/application/add/registration", proof="register_number", number_kind="rpps", number="10001234565"
    )
    data, page = await taken(somebody)
    await door.network.close()

    assert 303 == added.status_code
    assert ["10001234565"] == [each["number"] for each in data["pieces"]]
    assert ["draft"] == [each["state"] for each in data["applications"]]
    assert "Éliane Vauquelin" in json.dumps(data, ensure_ascii=False)
    assert "index.html" not in [each.name for each in tmp_path.rglob("*")]
    assert "data.json" in page
