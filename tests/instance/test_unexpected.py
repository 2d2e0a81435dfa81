"""A fault nobody foresaw, here a row somebody has spoilt: the caller learns `internal`, the log learns where."""

from __future__ import annotations

import json
import sqlite3

import pytest

from instance.app import make_app
from tests.doorway import a_create, reads, says
from tests.instance.pages.house import Visitor
from tests.town import PASSWORD, Place, refused

#: What the town logs is kept from its opening on.
pytestmark = pytest.mark.usefixtures("logged")

SPOILT = "{spoilt: Dr Made Up}"


def spoil(place: Place, column: str, handle: str, text: str = SPOILT) -> None:
    """Write what no code of ours writes."""
    with sqlite3.connect(place.node.config.database.removeprefix("sqlite:///")) as file:
        file.execute(f"update doctors set {column} = ? where handle = ?", (text, handle))


async def test_a_sibling_that_reads_learns_only_the_code(town, fr, logged):
    """500 `internal`: neither the exception nor the row nor whom it was about, to the caller or in the log."""
    await fr.doctor("marie")
    spoil(fr, "credential", "marie")

    answer = await reads(town["de"], fr, "/doctors/marie")
    [fault] = [event for event in logged() if event["event"] == "fault"]

    assert (500, "internal") == refused(answer)
    assert {"type", "title", "status", "error"} >= set(json.loads(answer.body))
    assert ("JSONDecodeError", "/doctors") == (fault["error"], fault["path"])
    assert [] == [word for word in ("spoilt", "Made Up", "marie", "Traceback", "JSON") if word in answer.body.decode()]
    assert [] == [word for word in ("spoilt", "Made Up", "marie") if word in json.dumps(logged())]


async def test_a_message_that_meets_a_fault_is_not_taken_in_and_can_come_again(town, fr, logged):
    """500 and nothing kept, so that the sender tries again; once mended it is taken in, once."""
    anna = await town["de"].doctor("anna")
    assert 202 == (await says(anna, fr, a_create(anna))).status
    create = a_create(anna)
    good = _document(fr, "anna")
    spoil(fr, "document", "anna")
    await fr.reopen()  # a verdict that is remembered would not look

    answer = await says(anna, fr, create)
    titles = await fr.titles()
    spoil(fr, "document", "anna", good)
    again = await says(anna, fr, create)

    assert (500, "internal") == refused(answer)
    assert "close" == answer.headers["connection"]
    assert ["fault"] == [event["event"] for event in logged() if event["level"] == "error"]
    assert 1 == len(titles)
    assert 202 == again.status
    assert 2 == len(await fr.titles())


async def test_a_reader_gets_a_page_that_says_so_and_nothing_else(fr, logged):
    """In their language, with the way on and the code; the log has type, place and route."""
    await fr.doctor("marie")
    marie = Visitor(make_app(fr.node).test_client())
    await marie.post("/sign-in", login="marie", password=PASSWORD)
    spoil(fr, "languages", "marie")

    answer = await marie.get("/me/profile", **{"Accept-Language": "de"})
    page = await answer.get_data(as_text=True)
    [fault] = [event for event in logged() if event["event"] == "page_failed"]

    assert 500 == answer.status_code
    assert "<code>fault</code>" in page
    assert 'lang="de"' in page
    assert [] == [word for word in ("spoilt", "Made Up", "Traceback", "JSONDecodeError") if word in page]
    assert ("JSONDecodeError", "/me/profile") == (fault["error"], fault["path"])
    assert fault["where"]
    assert [] == [word for word in ("spoilt", "Made Up") if word in json.dumps(logged())]


def _document(place: Place, handle: str) -> str:
    with sqlite3.connect(place.node.config.database.removeprefix("sqlite:///")) as file:
        return str(file.execute("select document from doctors where handle = ?", (handle,)).fetchone()[0])
