"""`esanum staff`: the first administrator comes from the command line; and what an older database had is kept."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from instance.kek import KekRotation
from instance.services.accounts import Stage
from instance.services.factor_showing import Shown
from instance.storage import QUERIES, SCHEMA, open_store
from instance.vault import CannotOpen
from tests.contract.conftest import address, postgres_server
from tests.factors import add_app, code
from tests.instance.test_cli import REASON, fr, run
from tests.town import PASSWORD, rows

__all__ = ["address", "fr", "postgres_server", "run"]


def test_the_first_administrator_comes_from_the_command_line(tmp_path: Path, run: Any, fr: Path) -> None:
    """Invite, list, withdraw, end: each says what it did, and a mistake is one sentence."""
    made = run("-c", fr, "staff", "invite", "ada@chamber.example", "--role", "administrator")
    listed = run("-c", fr, "staff", "list")
    id = re.search(r"^([0-9A-Z]{26})", listed.out, re.MULTILINE)[1]
    withdrawn = run("-c", fr, "staff", "withdraw", id)
    again = run("-c", fr, "staff", "list")

    assert re.match(
        r"http://fr\.localhost:\d+/invitation/[\w-]{43}\n  until  \d{4}-\d\d-\d\d \d\d:\d\d UTC\n\Z", made.out
    )
    assert "Nobody works here yet" in listed.out
    assert "ada@chamber.example" in listed.out
    assert made.out.rpartition("/")[2].partition("\n")[0] not in listed.out
    assert (0, True) == (withdrawn.status, "withdrawn" in withdrawn.out)
    assert "ada@chamber.example" not in again.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("invite", "ada", "--role", "administrator"), "bad_email"),
        (("invite", "ada@chamber.example", "--role", "reviewer"), "countries_missing"),
        (("invite", "ada@chamber.example", "--role", "reviewer", "--country", "DE"), "country_not_allowed"),
        (("end", "staff-x", *REASON), "unknown_staff"),
        (("end", "staff-x", "--reason", " "), "reason_missing"),
        (("withdraw", "x"), "unknown_invitation"),
        (("reset-factors", "nobody", *REASON), "unknown_account"),
        (("send-recovery", "nobody", *REASON), "unknown_account"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run: Any, fr: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit status 1, the code and what to do; nothing is printed that looks like success."""
    answer = run("-c", fr, "staff", *arguments)

    assert (1, "") == (answer.status, answer.out)
    assert said in answer.err
    assert "Nothing was " in answer.err


async def test_a_secret_of_an_app_follows_the_key_encryption_key(network: Any) -> None:
    """After a rotation codes are taken as before, and what lay there opens with the new key alone."""
    place = (await network("fr"))["fr"]
    await place.doctor("marie")
    begun = await place.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    _, secret, _ = await add_app(place.node, begun.token)
    before = (await rows(place.node, "select substr(secret, 1, 5) as head from totp"))[0]["head"]
    done = await KekRotation(place.node).run()
    after = (await rows(place.node, "select substr(secret, 1, 5) as head from totp"))[0]["head"]
    await place.reopen()
    place.network.clock.move(minutes=1)
    half = await place.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    shown = Shown(code=code(secret, place.network.clock()))
    whole = await place.node.factors.show(await place.node.people.entered(half.token), shown)

    assert done.others >= 1
    assert before != after
    assert Stage.SECOND_STEP == half.stage
    assert await place.node.people.session(whole.token) is not None
    assert not place.node.vault.opens(before)
    with pytest.raises(CannotOpen):
        place.node.vault.open(bytes(before) + bytes(40), b"totp x")


async def test_accounts_with_a_role_become_staff(address: str, tmp_path: Path) -> None:
    """What was an administrator or reviewer before is so afterwards, for the own country, with an id; others are not."""
    folder = tmp_path / "schema"
    shutil.copytree(SCHEMA, folder, ignore=lambda _, names: [name for name in names if name >= "0008"])
    old = await open_store(address, schema_dir=folder, queries_dir=_queries(tmp_path))
    await old.migrate()

    async def fill(tx: Any) -> None:
        for number, (login, roles) in enumerate(
            [("ada", '["administrator"]'), ("rita", '["reviewer"]'), ("max", "[]")]
        ):
            await tx.run("old.account", id=f"01ARZ3NDEKTSV4RRFFQ69G5FA{number}", login=login, roles=roles)

    await old.write(fill)
    await old.close()
    store = await open_store(address, schema_dir=SCHEMA, queries_dir=QUERIES)
    await store.migrate()
    listed = await store.all("staff.list")
    kept = await store.one("staff.of_account", account="01ARZ3NDEKTSV4RRFFQ69G5FA1")
    nobody = await store.one("staff.of_account", account="01ARZ3NDEKTSV4RRFFQ69G5FA2")
    await store.close()

    assert [("ada", '["administrator"]', "[]"), ("rita", '["reviewer"]', "[]")] == [
        (row["login"], row["roles"], row["countries"]) for row in listed
    ]
    assert ("staff-01ARZ3NDEKTSV4RRFFQ69G5FA1", None) == (kept["id"], nobody)


def _queries(folder: Path) -> Path:
    """What the older version would write with."""
    place = folder / "queries"
    place.mkdir()
    (place / "old.sql").write_text(
        "-- name: account\ninsert into accounts (id, login, password, roles, created_at) values (:id, :login, 'x', :roles, 0);\n"
    )
    return place
