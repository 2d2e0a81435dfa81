"""Files are looked at for malware by a program of the operator's: what it does not call clean is not kept."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from instance.media import render_page
from instance.scanning import AT_A_TIME, SCANS, WAITING, Scanner
from instance.services.errors import Rejected
from tests.instance.files import MARKER, PDF, pdf
from tests.instance.vaults import DOSSIER, Keeper, keeper
from verification.documents import BadFile, FileKind

#: A little scanner: it reads everything, says what it was given, and finds a word.
SCANNER = """#!{python}
import sys
content = sys.stdin.buffer.read()
print("made up: looked at", len(content), "bytes", content[:200])
sys.exit(1 if b"MADE-UP-MALWARE" in content else 0)
"""


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Keeper]:
    """An open vault, whose scanner is the one above."""
    async with keeper(tmp_path / "fr") as made:
        made.scanner = program(tmp_path, SCANNER)  # type: ignore[attr-defined]
        use(made, str(made.scanner))  # type: ignore[attr-defined]
        yield made


def program(folder: Path, text: str) -> Path:
    """A program in a file."""
    path = folder / f"scanner-{len(text)}"
    path.write_text(text.format(python=sys.executable))
    path.chmod(0o700)
    return path


def use(held: Keeper, *command: str, seconds: float = 10) -> None:
    """Ask this program from now on."""
    held.config = replace(held.config, scan_command=command)
    held.vault._scanner = Scanner(command, held.log, held.metrics, seconds=seconds)


async def refused(held: Keeper, text: str = "") -> str:
    """The code with which a document is refused, or an empty text."""
    try:
        await held.vault.put(DOSSIER, "diploma", PDF, pdf(1, text=text))
    except BadFile as bad:
        return bad.fault.value
    except Rejected as error:
        return f"{error.code} {error.status}"
    return ""


def infected() -> bytes:
    """A document that opens, with a word behind its end that the little scanner finds."""
    return pdf(1) + b"\n% MADE-UP-MALWARE\n"


async def test_what_is_clean_is_kept(held: Keeper) -> None:
    """The scanner reads the whole file from its standard input."""
    assert "" == await refused(held)
    assert 1 == len(held.sealed()) == len(held.keys())
    assert [] == await held.vault.findings()


async def test_what_is_infected_is_refused_and_leaves_nothing(held: Keeper) -> None:
    """By its own code; nothing of it is on the disk, and the log names no file."""
    before = {path for path in held.config.data.rglob("*") if path.is_file()}
    with pytest.raises(BadFile) as found:
        await held.vault.put(DOSSIER, "diploma", PDF, infected())
    after = {path for path in held.config.data.rglob("*") if path.is_file()}

    assert "file_infected" == found.value.fault.value
    assert before == after
    assert (set(), set()) == (held.sealed(), held.keys())
    assert [{}] == held.log.of("file_infected")


async def test_without_a_scanner_files_are_kept_as_before(held: Keeper) -> None:
    """Off unless a command is named."""
    use(held)
    await held.vault.put(DOSSIER, "diploma", PDF, infected())

    assert 1 == len(held.sealed())


@pytest.mark.parametrize(
    "text",
    [
        "#!{python}\nimport sys\nsys.exit(2)\n", "#!{python}\nimport os\nos.kill(os.getpid(), 11)\n",
        "#!/nowhere/python\n", "#!{python}\nimport time\ntime.sleep(60)\n",
    ],
    ids=["an error", "a crash", "not to be started", "no end"],
)  # fmt: skip
async def test_a_scanner_that_gives_no_answer_lets_nothing_in(held: Keeper, tmp_path: Path, text: str) -> None:
    """Closed, with another code and an alarm; `esanum evidence show` says so, and the next answer opens it again."""
    use(held, str(program(tmp_path, text)), seconds=0.3)
    began = time.monotonic()
    code = await refused(held)
    took = time.monotonic() - began
    found = await held.vault.findings()
    use(held, str(tmp_path / "not-there"))
    missing = await refused(held)
    nothing = held.sealed() | held.keys()
    use(held, str(held.scanner))  # type: ignore[attr-defined]

    assert ("scan_failed 503", "scan_failed 503") == (code, missing)
    assert took < 5
    assert set() == nothing
    assert ["error"] * 2 == [level for level, event, _ in held.log.said if event == "scan_failed"]
    assert ["scan_command: it does not call a harmless text clean, so no file is taken"] == found
    assert "" == await refused(held)


async def test_nothing_that_hangs_is_left_running(held: Keeper, tmp_path: Path) -> None:
    """Nor what the scanner itself has started."""
    told = tmp_path / "pids"
    text = "#!/bin/sh\nsleep 61 &\necho $$ $! > " + str(told) + "\nwait\n"
    use(held, str(program(tmp_path, text)), seconds=0.5)
    await refused(held)
    left = [Path(f"/proc/{pid}/stat") for pid in told.read_text().split()]
    for _ in range(50):
        if not any(_runs(path) for path in left):
            break
        await asyncio.sleep(0.02)

    assert 2 == len(left)
    assert not any(_runs(path) for path in left)


def _runs(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_words_of_the_command_are_no_shell(held: Keeper, tmp_path: Path) -> None:
    """A word with signs of a shell is handed on as it is."""
    trap = tmp_path / "trap"
    use(held, str(held.scanner), f"; touch {trap}", f"$(touch {trap})")  # type: ignore[attr-defined]

    assert "" == await refused(held)
    assert not trap.exists()


async def test_a_marker_goes_through_the_scanner_and_lies_nowhere(held: Keeper, tmp_path: Path) -> None:
    """The scanner prints what it was given; neither that nor the file is found on the disk."""
    await held.vault.put(DOSSIER, "diploma", PDF, pdf(1, text=MARKER, compress_streams=False))
    with pytest.raises(BadFile):
        await held.vault.put(DOSSIER, "diploma", PDF, infected() + MARKER.encode())
    where = [path for path in tmp_path.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()]

    assert [] == where
    assert MARKER not in str(held.log.said)


async def test_scans_that_hang_hold_up_no_page_of_a_reviewer(held: Keeper, tmp_path: Path) -> None:
    """As many as are looked at together hang, and more wait; pages are drawn meanwhile, and no scan comes between."""
    use(held, str(program(tmp_path, "#!{python}\nimport time\ntime.sleep(60)\n")), seconds=1.0)
    hung = [asyncio.create_task(refused(held)) for _ in range(AT_A_TIME + 1)]
    await asyncio.sleep(0.2)
    waiting = SCANS.in_hand
    page = await render_page(pdf(1), FileKind.PDF, 1, "rene 2026", seconds=20)
    still = SCANS.in_hand
    answers = await asyncio.gather(*hung)

    assert page.startswith(b"\xff\xd8")
    assert (AT_A_TIME + 1, True) == (waiting, still >= 1)
    assert {"scan_failed 503"} == set(answers)
    assert 0 == SCANS.in_hand


async def test_where_too_many_scans_wait_the_next_is_refused(held: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own code, and it is not kept."""
    monkeypatch.setattr(SCANS, "in_hand", AT_A_TIME + WAITING)

    assert "files_busy 503" == await refused(held)
    assert set() == held.sealed()
