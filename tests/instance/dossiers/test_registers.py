"""Registers brought in: a snapshot beside the one in force, swapped whole, and every verified doctor compared."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from instance.services.dossiers.registers import Registers
from instance.services.dossiers.values import Findings
from instance.services.errors import Rejected
from tests.instance.dossiers.applying import ADMIN, APPROVE, GERMAN, RENE, RITA, RPPS, Applicant, refused
from tests.instance.vaults import Killed
from tests.town import Place, rows
from verification.countries import Proof
from verification.dossier import Role
from verification.evidence import Control
from verification.grounds import Ground
from verification.moves import State

HEADER = (
    "Identification nationale PP|Nom d'exercice|Prénom d'exercice|Code profession|Code catégorie professionnelle|"
    "Code type savoir-faire|Code savoir-faire"
)
VAUQUELIN = f"8{RPPS}|VAUQUELIN|Eliane|10|C|S|SM04"


def line(number: int, family: str = "MARIN", profession: str = "10") -> str:
    """A made-up doctor; the check digit need not fit, which refuses nobody."""
    return f"8{20_000_000_000 + number}|{family}|Luc|{profession}|C|S|SM26"


def a_file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    """A register's file."""
    path = folder / "register.txt"
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


async def bring(fr: Place, path: Path, **more: Any) -> Any:
    """Bring the file in."""
    return await fr.node.dossiers.registers.bring_in("rpps", path, **more)


async def with_number(fr: Place, **changes: Any) -> tuple[Applicant, str]:
    """An applicant with a number, handed in; and the id of the piece."""
    eliane = await Applicant.begins(fr.node, **changes)
    piece = await eliane.shows(Proof.REGISTER_NUMBER, number_kind="rpps", number=RPPS)
    await eliane.does("submit")
    return eliane, piece


async def verified(fr: Place, **changes: Any) -> Applicant:
    """A doctor whom the register knows, approved on it."""
    eliane, piece = await with_number(fr, **changes)
    await eliane.does("take", by=RITA)
    found = Findings(known=True, active=True, known_name=True, control=Control.CODE_TO_REGISTERED_ADDRESS)
    for by in (RITA, RENE):
        await fr.node.dossiers.find(eliane.id, by, piece, found)
        more = {"hit": Ground.NOT_THE_SAME} if (await eliane.file()).dossier.open_hit else {}
        await eliane.does("vote", *APPROVE, by=by, **more)
    return eliane


async def test_the_register_answers_for_a_number(fr: Place, tmp_path: Path) -> None:
    """Rows of one doctor that lie apart are one answer; other professions are not brought in."""
    second = f"8{RPPS}|VAUQUELIN|Eliane|10|C|S|SM26"
    done = await bring(fr, a_file(tmp_path, VAUQUELIN, line(1), second, line(2, profession="60")))
    eliane, piece = await with_number(fr)
    answer = await fr.node.dossiers.register_answer(eliane.id, piece)

    assert (2, 0, 0) == (done.doctors, done.before, done.bad_lines)
    assert ("Eliane VAUQUELIN", True, True) == (answer.name, answer.active, answer.same_name)
    assert ("SM04", "SM26") == answer.other["specialty"]


async def test_a_match_is_an_answer_and_no_approval(fr: Place, tmp_path: Path) -> None:
    """Whoever the register knows waits for two reviewers like everybody."""
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    eliane, _ = await with_number(fr)

    assert State.SUBMITTED is (await eliane.file()).dossier.state
    assert [] == await rows(fr.node, "select uri from doctors")


async def test_another_name_and_another_number_are_told_apart(fr: Place, tmp_path: Path) -> None:
    """A number that belongs to somebody else is shown as such; one nobody has gives no answer."""
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    luc, piece = await with_number(fr, name="Dr Luc Marin")
    answer = await fr.node.dossiers.register_answer(luc.id, piece)
    await bring(fr, a_file(tmp_path, line(1)))

    assert (True, False) == (answer.active, answer.same_name)
    assert await fr.node.dossiers.register_answer(luc.id, piece) is None


async def test_a_snapshot_takes_the_place_of_the_last(fr: Place, tmp_path: Path) -> None:
    """One is in force, nothing of the other is left."""
    await bring(fr, a_file(tmp_path, *map(line, range(10))))
    done = await bring(fr, a_file(tmp_path, *map(line, range(5, 14))))

    assert (9, 10) == (done.doctors, done.before)
    assert [("current", 9)] == [
        tuple(row) for row in await rows(fr.node, "select state, doctors from register_snapshots")
    ]
    assert [(9,)] == [tuple(row) for row in await rows(fr.node, "select count(*) from register_entries")]


async def test_a_shrunken_register_is_not_taken_unless_forced(fr: Place, tmp_path: Path) -> None:
    """With fewer than nine tenths something is wrong with the file: the old one stays in force."""
    await bring(fr, a_file(tmp_path, *map(line, range(10))))
    small = a_file(tmp_path, *map(line, range(8)))
    code = await refused(bring(fr, small))
    kept = [
        tuple(row)
        for row in await rows(
            fr.node, "select doctors, (select count(*) from register_entries) from register_snapshots"
        )
    ]
    forced = await bring(fr, small, force=True)

    assert "register_shrunk" == code
    assert [(10, 10)] == kept
    assert 8 == forced.doctors


@pytest.mark.parametrize(
    ("lines", "header", "code"),
    [([], HEADER, "register_empty"), ([line(1)], "a|b|c", "register_file"), (["1|2"], HEADER, "register_empty")],
    ids=["nobody in it", "other columns", "broken lines alone"],
)
async def test_what_is_no_register_changes_nothing(
    fr: Place, tmp_path: Path, lines: list[str], header: str, code: str
) -> None:
    """The one in force stays, and nothing of the attempt is left."""
    await bring(fr, a_file(tmp_path, line(7)))

    assert code == await refused(bring(fr, a_file(tmp_path, *lines, header=header), force=True))
    assert [("current",)] == [tuple(row) for row in await rows(fr.node, "select state from register_snapshots")]
    assert [(1,)] == [tuple(row) for row in await rows(fr.node, "select count(*) from register_entries")]


async def test_names_and_maps_that_are_not_there(fr: Place, tmp_path: Path) -> None:
    """A register nobody has a map of, a map that is none, and a file that is not there are refused by code."""
    registers, path = fr.node.dossiers.registers, a_file(tmp_path, line(1))

    assert "register_unknown" == await refused(registers.bring_in("unheard", path))
    assert "column_map" == await refused(registers.bring_in("rpps", path, map_text="[register]"))
    assert "register_file" == await refused(registers.bring_in("rpps", tmp_path / "none.txt"))


async def test_an_own_map_reads_an_own_file(fr: Place, tmp_path: Path) -> None:
    """An operator's map makes a register of any delimited file."""
    path = tmp_path / "own.csv"
    path.write_text("No,Family,Given\n12-34,Marin,Luc\n", "utf-8")
    map_text = '[register.own]\ncountry = "FR"\nnumber = "No"\nname = { family = "Family", given = "Given" }\n'

    assert 1 == (await fr.node.dossiers.registers.bring_in("own", path, map_text=map_text)).doctors


async def test_two_imports_at_once_are_one(fr: Place, tmp_path: Path) -> None:
    """The second is told that one is at work; the first comes to its end."""
    path = a_file(tmp_path, *map(line, range(3)))
    results = await asyncio.gather(bring(fr, path), bring(fr, path), return_exceptions=True)

    assert ["register_busy"] == [each.code for each in results if isinstance(each, Rejected)]
    assert [(3,)] == [tuple(row) for row in await rows(fr.node, "select count(*) from register_entries")]


async def test_two_processes_are_one_import(fr: Place, tmp_path: Path) -> None:
    """Another process is told the same, and takes nothing of the first away; once that is silent for long it may."""
    path, other = a_file(tmp_path, *map(line, range(3))), Registers(fr.node.dossiers)
    registers, codes = fr.node.dossiers.registers, []
    count = registers._count

    async def meanwhile(snapshot: str) -> int:
        codes.append(await refused(other.bring_in("rpps", path)))
        return await count(snapshot)

    registers._count = meanwhile  # type: ignore[method-assign]
    done = await bring(fr, path)

    assert ["register_busy"] == codes
    assert 3 == done.doctors
    assert [(3,)] == [tuple(row) for row in await rows(fr.node, "select count(*) from register_entries")]


async def test_an_import_that_was_cleared_away_puts_nothing_in_force(fr: Place, tmp_path: Path) -> None:
    """Stopped for longer than it holds its snapshot: the other's is in force, and stays so."""
    await bring(fr, a_file(tmp_path, line(7)))
    registers, other = fr.node.dossiers.registers, Registers(fr.node.dossiers)
    path = a_file(tmp_path, *map(line, range(3)))
    count = registers._count

    async def sleeps(snapshot: str) -> int:
        number = await count(snapshot)
        fr.network.clock.move(minutes=11)
        await other.bring_in("rpps", path)
        return number

    registers._count = sleeps  # type: ignore[method-assign]
    code = await refused(bring(fr, path))

    assert "register_busy" == code
    assert [("current", 3)] == [
        tuple(row) for row in await rows(fr.node, "select state, doctors from register_snapshots")
    ]
    assert [(3,)] == [tuple(row) for row in await rows(fr.node, "select count(*) from register_entries")]


async def killed_while_comparing(fr: Place, path: Path, after: int) -> None:
    """Bring a register in; the process ends when so many dossiers are compared."""
    registers = fr.node.dossiers.registers
    compare, left = registers._compare_one, [after]

    async def dies(*values: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return await compare(*values)

    registers._compare_one = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await bring(fr, path)
    await fr.reopen()


async def test_a_comparison_that_was_ended_is_gone_on_with(fr: Place, tmp_path: Path) -> None:
    """Put in force and killed: the chore compares whoever was not, once nobody holds it any more."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await verified(fr)
    await killed_while_comparing(fr, a_file(tmp_path, line(2), line(3)), after=0)
    eliane.node = fr.node
    await fr.node.dossiers.tick()
    held = await rows(fr.node, "select what from register_tasks")
    fr.network.clock.move(minutes=11)
    await fr.node.dossiers.tick()
    tasks = [tuple(row) for row in await rows(fr.node, "select dossier, what from register_tasks")]

    assert [] == held
    assert [(eliane.id, "missing")] == tasks
    assert 0 == await fr.node.dossiers.registers.go_on()


async def test_it_is_gone_on_with_where_it_was(fr: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was compared is not compared again; the next import begins anew."""
    monkeypatch.setattr("instance.services.dossiers.registers._COMPARED", 1)
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    both = sorted([(await verified(fr)).id, (await verified(fr, login="again")).id])
    await killed_while_comparing(fr, a_file(tmp_path, line(2), line(3)), after=1)
    registers, seen = fr.node.dossiers.registers, []
    compare = registers._compare_one

    async def sees(dossier: str, *values: Any) -> Any:
        seen.append(dossier)
        return await compare(dossier, *values)

    registers._compare_one = sees  # type: ignore[method-assign]
    fr.network.clock.move(minutes=11)
    done = await registers.go_on()
    after = list(seen)
    await bring(fr, a_file(tmp_path, line(2), line(3)))

    assert 1 == done
    assert both[1:] == after
    assert both == seen[1:]


async def test_one_whose_rows_are_damaged_keeps_no_other(fr: Place, tmp_path: Path) -> None:
    """Said in the log; the import comes to its end, and nothing is left to go on with."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    one, other = await verified(fr), await verified(fr, login="again")
    (piece,) = (await one.file()).pieces

    with sqlite3.connect(fr.node.config.database.removeprefix("sqlite:///")) as damaging:
        damaging.execute("update evidence_pieces set claim = '{' where id = ?", (piece.id,))
    done = await bring(fr, a_file(tmp_path, line(2), line(3)))
    tasks = [tuple(row) for row in await rows(fr.node, "select dossier from register_tasks")]

    assert (0, 1) == (done.unchanged, done.changed)
    assert [(other.id,)] == tasks
    assert [(None,)] == [tuple(row) for row in await rows(fr.node, "select compare_from from register_snapshots")]


async def test_who_is_as_before_is_verified_again_without_a_word(fr: Place, tmp_path: Path) -> None:
    """A doctor whom the register still knows is verified from the day of the import, and not written to."""
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    eliane = await verified(fr)
    before = (await eliane.file()).dossier
    mails = len(await rows(fr.node, "select id from mails"))
    fr.network.clock.move(days=90)
    done = await bring(fr, a_file(tmp_path, VAUQUELIN))
    after = (await eliane.file()).dossier

    assert before.followed
    assert (1, 0) == (done.unchanged, done.changed)
    assert timedelta(days=90) == after.verified_at - before.verified_at
    assert after.reverify_on > before.reverify_on
    assert mails == len(await rows(fr.node, "select id from mails"))


@pytest.mark.parametrize(
    ("now", "what"),
    [(line(1), "missing"), (f"8{RPPS}|MARCHAL|Eliane|10|C|S|SM04", "renamed")],
    ids=["missing", "renamed"],
)
async def test_who_has_changed_is_a_task_and_not_suspended(fr: Place, tmp_path: Path, now: str, what: str) -> None:
    """A reviewer of the country is asked to look, once; the doctor goes on."""
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    eliane = await verified(fr)
    done = await bring(fr, a_file(tmp_path, now))
    again = await bring(fr, a_file(tmp_path, now))
    tasks = [tuple(row) for row in await rows(fr.node, "select dossier, what, id from register_tasks")]
    seen = [line.wants for line in await fr.node.dossiers.queue(RITA)]
    with pytest.raises(Rejected):
        await fr.node.dossiers.close_task(eliane.id, ADMIN, tasks[0][2])
    await fr.node.dossiers.close_task(eliane.id, RITA, tasks[0][2])

    assert (1, 1) == (done.changed, again.changed)
    assert [(eliane.id, what)] == [task[:2] for task in tasks]
    assert ["register"] == seen
    assert [] == await fr.node.dossiers.queue(GERMAN)
    assert [] == await fr.node.dossiers.queue(RITA)
    assert (State.APPROVED, Role.GENERALIST) == (
        (await eliane.file()).dossier.state,
        (await eliane.file()).dossier.role,
    )


async def test_who_is_suspended_is_not_compared(fr: Place, tmp_path: Path) -> None:
    """A register lifts no suspension."""
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    eliane = await verified(fr)
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    done = await bring(fr, a_file(tmp_path, VAUQUELIN))

    assert (0, 0) == (done.unchanged, done.changed)
    assert State.SUSPENDED is (await eliane.file()).dossier.state
