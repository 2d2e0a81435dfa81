"""A marker in an upload is found nowhere on the disk: not in rows, logs, keys, folders, back-ups or temporary files."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest
from quart import Request, request
from quart.datastructures import FileStorage

from instance.app import make_app
from instance.uploads import MAX_UPLOAD, UPLOAD_SECONDS
from tests.instance.files import MARKER, PDF, PNG, chunk, image, opened, pdf
from tests.instance.pages.house import OWN_PAGE, Visitor
from tests.instance.vaults import DOSSIER, READER, Keeper, keeper
from tests.town import PASSWORD, Place


def _everything(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


def _found(content: bytes, wanted: list[bytes]) -> bool:
    return any(piece in content for piece in wanted)


def _traces(sent: bytes) -> list[bytes]:
    """The marker, and pieces of the file itself, as it was sent."""
    return [MARKER.encode(), sent[len(sent) // 2 :][:24]]


async def test_a_marker_is_found_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after it is destroyed, in a PDF and in a PNG; the reviewer has seen both."""
    temporary, data, copies = tmp_path / "tmp", tmp_path / "data", tmp_path / "copies"
    for folder in (temporary, data, copies, copies / "apart"):
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    document = pdf(2, compress_streams=False)
    at = 8 + 25
    plain = image(PNG)
    drawn = plain[:at] + chunk(b"tEXt", b"Title\0" + MARKER.encode()) + plain[at:]
    wanted = [*_traces(document), *_traces(drawn)]
    async with keeper(data) as held:
        files = [
            await held.vault.put(DOSSIER, "diploma", PDF, document), await held.vault.put(DOSSIER, "diploma", PNG, drawn)
        ]  # fmt: skip
        for file in files:
            assert await held.see(file)
        wanted += [piece for file in files for piece in _of_the_kept(held, file)]
        await held.store.backup(str(copies / "esanum.db"))
        await held.vault.copy_to(copies / "evidence")
        await held.vault.copy_keys_to(copies / "apart" / "keys.db")
        before = dict(_everything(data, temporary, copies))
        for file in files:
            await held.vault.destroy(file.id, "request")
        after = dict(_everything(data, temporary, copies))
    closed = dict(_everything(data, temporary, copies))

    assert all(_found(document, [piece]) or _found(drawn, [piece]) for piece in wanted[:4])
    for state in (before, after, closed):
        assert [] == [str(path) for path, content in state.items() if _found(content, wanted)]
    names = [path.name for path in before]
    assert {"esanum.db", "esanum.db-wal", "evidence-keys.db", "keys.db"} <= set(names)
    assert 4 == sum(name.endswith(".sealed") for name in names)
    assert [] == [path for path, _ in _everything(temporary)]


def _of_the_kept(held: Keeper, file) -> list[bytes]:  # type: ignore[no-untyped-def]
    """Pieces of what is kept, which no reader of the disk may find either."""
    kept = held.vault._opened(held.vault._require(), file)
    assert len(kept) > 400
    return [kept[:48], kept[len(kept) // 2 :][:24]]


async def test_the_search_would_find_a_marker(tmp_path: Path) -> None:
    """What it looks through includes what lies deep, and what has just been written."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(zlib.compress(b"x") + MARKER.encode())

    assert [tmp_path / "a" / "b" / "c"] == [
        path for path, found in _everything(tmp_path) if _found(found, _traces(b"x"))
    ]


# ── on its way in ──


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which temporary files are made from now on."""
    made: list[str] = []
    for place in (
        "tempfile.TemporaryFile",
        "tempfile.SpooledTemporaryFile",
        "werkzeug.formparser.SpooledTemporaryFile",
    ):
        real = getattr(tempfile, place.rpartition(".")[2])
        monkeypatch.setattr(place, lambda *a, real=real, **k: made.append("made") or real(*a, **k))
    return made


PIECE = "/application/pieces/e-1/files"


async def _client(fr: Place) -> Visitor:
    """Somebody who is signed in, at an application with two more places to send something to."""
    app = make_app(fr.node)

    async def take(piece: str = "") -> dict[str, int]:
        files = (await request.files).getlist("file")
        return {"size": sum(len(file.read()) for file in files), "seconds": request.body_timeout}

    take.access = "public"  # type: ignore[attr-defined]
    app.view_functions["showing.upload"] = take
    app.add_url_rule("/join/other", "/join/other", take, methods=["POST"])
    await fr.doctor("marie")
    marie = Visitor(app.test_client())
    assert 303 == (await marie.post("/sign-in", login="marie", password=PASSWORD)).status_code
    await marie.get("/me")
    return marie


async def _post(marie: Visitor, path: str, size: int):  # type: ignore[no-untyped-def]
    content = FileStorage(io.BytesIO(os.urandom(size)), "made-up.pdf")
    return await marie.client.post(path, form={"csrf": marie.token}, files={"file": content}, headers=OWN_PAGE)


async def test_a_large_upload_stays_in_memory(fr: Place, temporary: list[str]) -> None:
    """Ten megabytes come in, slowly if need be, and no temporary file is made for them."""
    answer = await _post(await _client(fr), PIECE, 10 * 1024 * 1024)

    assert (200, 10 * 1024 * 1024) == (answer.status_code, (await answer.get_json())["size"])
    assert UPLOAD_SECONDS == (await answer.get_json())["seconds"]
    assert [] == temporary


async def test_the_frameworks_own_form_would_have_made_one(fr: Place, temporary: list[str]) -> None:
    """The search of the test above sees what is made when our request is not in its place."""
    marie = await _client(fr)
    marie.client.app.request_class = Request  # type: ignore[attr-defined]

    assert 200 == (await _post(marie, "/join/other", 900_000)).status_code
    assert temporary


@pytest.mark.parametrize(("path", "size"), [(PIECE, MAX_UPLOAD), ("/join/other", 1_048_576)])
async def test_more_is_not_taken(fr: Place, temporary: list[str], path: str, size: int) -> None:
    """Twelve megabytes where files are taken, and one everywhere else."""
    answer = await _post(await _client(fr), path, size)

    assert 413 == answer.status_code
    assert [] == temporary


async def test_an_upload_without_a_length_is_counted(fr: Place) -> None:
    """In pieces, without saying how many: the framework counts nothing of that; we do."""
    marie = await _client(fr)
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    async with marie.client.request(
        PIECE, method="POST", headers=OWN_PAGE | {"Content-Type": "multipart/form-data; boundary=x"},
    ) as connection:  # fmt: skip
        await connection.send(head)
        for _ in range(14):
            await connection.send(bytes(1024 * 1024))
            await asyncio.sleep(0.01)
        await connection.send(b"\r\n--x--\r\n")
        await connection.send_complete()
    answer = await connection.as_response()

    assert 413 == answer.status_code


# ── in an instance ──


async def test_an_instance_has_its_vault_open(fr: Place) -> None:
    """With the secrets that `init` makes; the chores look after it."""
    file = await fr.node.evidence.put(DOSSIER, "diploma", PDF, pdf())

    async def record() -> None: ...

    page = await fr.node.evidence.page(file.id, 1, watermark=READER, record=record)
    fr.node.clock.move(days=31)  # type: ignore[attr-defined]
    await fr.node.workers.housekeep()

    assert "open" == fr.node.evidence.state
    assert opened(page).height == 2_400
    assert [] == await fr.node.evidence.files(DOSSIER)


async def test_health_says_that_the_vault_is_closed_and_that_all_else_is_well(fr: Place) -> None:
    """A server whose vault is closed goes on; whoever watches it reads why."""
    from instance.ops import health
    from instance.vault import EVIDENCE_KEK

    await fr.node.workers.start()
    before = await health(fr.node)
    (fr.node.config.secrets / EVIDENCE_KEK).chmod(0o644)
    await fr.node.workers.housekeep()
    after = await health(fr.node)

    assert ("open", "evidence_key_exposed") == (before["evidence"], after["evidence"])
    assert before["ok"]
    assert after["ok"]


async def test_an_encrypted_document_stays_out_of_the_instance(fr: Place) -> None:
    """The twin: nothing of it is kept."""
    from verification.documents import BadFile

    sent = pdf(encryption=pikepdf.Encryption(owner="made up", user="made up"))
    with pytest.raises(BadFile):
        await fr.node.evidence.put(DOSSIER, "diploma", PDF, sent)

    assert [] == await fr.node.evidence.files(DOSSIER)
