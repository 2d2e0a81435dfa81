"""What the data protection officer reads at the desk: how far the audit log holds, what was signed, what staff did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from federation.integrity import canonical
from tests.instance.pages.desk_house import Desk, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def test_the_data_protection_officer_reads_the_chain(desk: Desk) -> None:
    """How far it holds, its head, what was destroyed; a changed entry is said, and no name stands there."""
    _, file = await desk.applicant()
    dora = await desk.staff("dora", "dpo")
    await desk.node.evidence.destroy(file, "retention")
    page = await dora.text("/desk/audit")
    await desk.node.store.write(_spoil)
    broken = await dora.text("/desk/audit")

    assert "Every entry holds" in page
    assert "sha256:" in page
    assert "Evidence destroyed" in page
    assert "Vauquelin" not in page
    assert "Every entry holds" not in broken
    assert "no longer what it was: it cannot be read" in broken


async def test_the_data_protection_officer_takes_the_log_away(desk: Desk) -> None:
    """Line by line, with the hashes that another program needs; that it was taken is its last line. Nobody else may."""
    await desk.applicant()
    dora = await desk.staff("dora", "dpo")
    page = await dora.text("/desk/audit")
    answer = await dora.post("/desk/audit/export")
    lines = [json.loads(line) for line in (await answer.get_data()).splitlines()]
    start, broken = bytes(32), []
    for line in lines:
        start = hashlib.sha256(canonical(line["entry"]) + start).digest()
        if line["hash"] != f"sha256:{start.hex()}":
            broken.append(line)
    rita = await desk.staff("rita", "reviewer")

    assert "Download the log" in page
    assert (200, "application/x-ndjson") == (answer.status_code, answer.content_type)
    assert "attachment; filename=" in answer.headers["Content-Disposition"]
    assert [] == broken
    assert list(range(1, len(lines) + 1)) == [line["entry"]["n"] for line in lines]
    assert "export.made" == lines[-1]["entry"]["act"]
    assert b"Vauquelin" not in await answer.get_data()
    assert 403 == (await rita.post("/desk/audit/export")).status_code


async def test_the_officer_reads_that_nothing_is_signed(desk: Desk) -> None:
    """And what is gone of the log, with its numbers."""
    dora = await desk.staff("dora", "dpo")
    desk.node.dossiers.restoring._state = "behind"
    behind = await dora.text("/desk/audit")
    desk.node.dossiers.restoring._state = "current"

    assert "esanum audit resume" in behind
    assert "esanum audit resume" not in await dora.text("/desk/audit")


async def _spoil(tx: Any) -> None:
    """Write an entry whose hash is not its own."""
    await tx.run("audit.add", n=900, entry="{}", hash=bytes(32), dossier="")


async def test_the_data_protection_officer_reads_what_staff_did(desk: Desk) -> None:
    """By ids, from the log; the words an administrator typed stand on no page of hers."""
    await desk.staff("rita", "reviewer")
    dora = await desk.staff("dora", "dpo")
    id = next(each.id for each in await desk.node.staff.list() if each.login == "rita")
    await desk.node.staff.end(id, by="command line: root", reason="went to Lyon")
    page = await dora.text("/desk/audit")

    assert "Removed from the staff" in page
    assert id.lower() in page
    assert "from the command line" in page
    assert "Lyon" not in page
