"""`esanum policy show`, and what `esanum check` says of profiles: an operator reads what is in force."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from instance.config import load
from instance.wiring import open_node
from tests.instance.students import administrators
from tests.instance.test_cli import fr, run
from tests.ready import pooled_rsa
from verification.overlay import Period, PolicyReason

__all__ = ["fr", "run"]


def shortened(config: Path) -> None:
    """Let an administrator shorten a period, and propose to let it be longer."""

    async def change() -> None:
        node = await open_node(load(config), make_rsa=pooled_rsa)
        try:
            await administrators(node)
            ada = await node.staff.of(next(each.id for each in await node.staff.list() if each.login == "ada"))
            for seen, months in enumerate((6, 9)):
                await node.policies.change(
                    "FR", Period(name="resident", months=months), PolicyReason.RULES_CHANGED, ada, seen=seen
                )
        finally:
            await node.close()

    asyncio.run(change())


def test_what_is_in_force_is_shown_beside_the_file(run: Any, fr: Path) -> None:
    """One country by its code, whichever case; what waits stands below."""
    shortened(fr)
    shown = run("-c", fr, "policy", "show", "fr")

    assert (0, "") == (shown.status, shown.err)
    assert "FR  comes with esanum" in shown.out
    assert "  resident, months            6  (file: 12)\n" in shown.out
    assert "  students                    not let in\n" in shown.out
    assert "waits for a second administrator: validity.resident until " in shown.out


def test_another_country_is_not_there(run: Any, fr: Path) -> None:
    """One for which this instance does not vouch is one sentence."""
    shown = run("-c", fr, "policy", "show", "IT")

    assert (1, "") == (shown.status, shown.out)
    assert "not_found" in shown.err


def test_a_faulty_file_is_named(run: Any, fr: Path) -> None:
    """With what was expected, and exit status 1; `check` says it too."""
    own = load(fr).data / "countries"
    own.mkdir()
    (own / "FR.toml").write_text('country = "FR"\nregulator = 3\n', "utf-8")
    (own / "XX.toml").write_text("[[[", "utf-8")
    shown, checked = run("-c", fr, "policy", "show"), run("-c", fr, "check")

    assert 1 == shown.status
    assert "closed: FR.toml does not hold: " in shown.out
    assert "XX.toml does not hold (not_toml): " in shown.err
    assert 1 == checked.status
    assert "FR: no profile holds, so nobody is admitted from there" in checked.out + checked.err
    assert "XX.toml does not hold" in checked.out + checked.err
