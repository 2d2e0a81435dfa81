"""What the demo begins with: a desk where something of everything waits, and a board of codes and mails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from instance.demo import past
from instance.demo.board import Board, code_now
from instance.demo.town import PASSWORD, Country, Login, configure
from instance.wiring import open_node, prepare
from tests.ready import pooled_rsa
from tests.town import rows

SECRET = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"
MAIL = b"To: eve@mail.example\r\nSubject: Joining\r\n\r\n<b>123456</b>\r\n"


async def test_something_of_everything_waits_at_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each state there is something to try for, an annex, a campaign, a register; all in the past of an ordinary node."""
    monkeypatch.setattr("instance.demo.past.open_node", _quickly)
    config, told = configure(tmp_path, "FR", {"name": "esanum France", "language": "fr"}, 8301), past.Told()
    await prepare(config, make_rsa=pooled_rsa)
    await past.live(config, told)
    node = await _quickly(config)
    for _ in range(3):
        await node.dossiers.tick()
    await past.suspend(node)
    found = [
        {row["state"] for row in await rows(node, f"select state from {table}")} for table in ("dossiers", "annexes")
    ]
    campaigns = await rows(node, "select started_at from campaigns")
    registers = await node.dossiers.registers.list()
    wrong = await node.dossiers.registers.answer(None, "FR", "nobody")
    await node.close()

    states = {
        "submitted",
        "second_review",
        "needs_info",
        "appealed",
        "approved",
        "reverify_due",
        "expired",
        "suspended",
    }
    assert [states, {"submitted"}] == found
    assert [True] == [row["started_at"] is not None for row in campaigns]
    assert (["rpps"], None) == ([row["register"] for row in registers], wrong)
    assert 8 == len(told.applicants)
    assert {PASSWORD} == {login.password for login in (*told.staff, *told.applicants)}


async def _quickly(config: Any, **given: Any) -> Any:
    """Open a node whose doctors get keys that are ready."""
    return await open_node(config, make_rsa=pooled_rsa, **given)


def a_country(folder: Path) -> Country:
    """A country with one member of staff and one mail."""
    (folder / "mail").mkdir()
    (folder / "mail" / "1.eml").write_bytes(MAIL)
    node: Any = SimpleNamespace(origin="http://fr.localhost:8301", config=SimpleNamespace(data=folder))
    staff = [Login("rita.reviewer", PASSWORD, "reviewer", SECRET)]
    return Country("FR", "esanum France", node, [], staff=staff)


def test_the_board_shows_the_code_of_this_moment_and_every_mail(tmp_path: Path) -> None:
    """With the place where that person begins; what stands in a mail is text and nothing else."""
    country = a_country(tmp_path)
    before = code_now(country.staff[0])
    page = Board([country]).page()
    after = code_now(country.staff[0])

    assert before in page or after in page
    assert 'href="http://fr.localhost:8301/desk"' in page
    assert "&lt;b&gt;123456&lt;/b&gt;" in page
    assert "<b>" not in page


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 200), ("GET", "/x", 404), ("POST", "/", 404)])
async def test_the_board_is_one_page(tmp_path: Path, method: str, path: str, status: int) -> None:
    """It takes nothing and has nothing else."""
    sent: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await Board([a_country(tmp_path)])({"type": "http", "method": method, "path": path}, None, send)

    assert status == sent[0]["status"]
    assert (SECRET in sent[1]["body"].decode()) is (status == 200)
