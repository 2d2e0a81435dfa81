"""What becomes of a file on its way in, and how a page looks on its way out."""

from __future__ import annotations

import asyncio
import io
import os
import re
import socket
import time
from pathlib import Path
from threading import Event
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageChops

from instance import media
from instance.services.errors import Rejected
from tests.instance.files import (
    JPEG,
    MARKER,
    PDF,
    PNG,
    WEBP,
    archive,
    chunk,
    image,
    opened,
    pdf,
    picture,
    png_bomb,
    webp_bomb,
    with_everything,
)
from verification.documents import HEAD, BadFile, FileFault, FileKind, FileRules, accept

RULES = FileRules()
READER = "staff-12 2026-11-23 12:05 UTC"
IMAGES = pytest.mark.parametrize("kind", [JPEG, PNG, WEBP])


async def cleaned(content: bytes, declared: str = "", rules: FileRules = RULES) -> media.Cleaned:
    """The way of every upload: looked at, then made anew."""
    return await media.clean(content, accept(content[:HEAD], len(content), declared, 0, rules), rules)


async def fault(content: bytes, declared: str = "", rules: FileRules = RULES) -> FileFault:
    """Why a file is refused."""
    with pytest.raises(BadFile) as caught:
        await cleaned(content, declared, rules)
    return caught.value.fault


# ── what is let in ──


@IMAGES
async def test_a_picture_comes_through(kind: str) -> None:
    """It is of the same kind and size, and looks the same."""
    made = await cleaned(image(kind), kind)

    left, right = (opened(made.content).convert("RGB").getpixel((x, 150)) for x in (20, 300))
    assert (1, (320, 200)) == (made.pages, opened(made.content).size)
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
async def test_every_way_of_holding_colours_comes_through(mode: str) -> None:
    """Grey, palettes, transparency, print colours and sixteen bits become what every browser shows."""
    if mode == "I;16":
        plain = Image.new("I;16", (320, 200), 200 * 256)
    else:
        plain = picture(mode="RGBA").convert("LA") if mode == "LA" else picture(mode=mode)
    made = opened((await cleaned(image(JPEG if mode == "CMYK" else PNG, plain))).content)

    assert made.mode in ("L", "RGB")
    if mode == "I;16":
        assert 200 == made.getpixel((5, 150))


async def test_what_is_transparent_is_white() -> None:
    """A scan without a background is no black page."""
    made = await cleaned(image(PNG, Image.new("RGBA", (50, 50), (0, 0, 0, 0))))

    assert (255, 255, 255) == opened(made.content).getpixel((25, 25))


@pytest.mark.parametrize(("orientation", "red_at"), [(1, (20, 150)), (3, (300, 150)), (6, (100, 20)), (8, (100, 300))])
async def test_a_picture_is_put_upright(orientation: int, red_at: tuple[int, int]) -> None:
    """It is turned as its camera says, and then no longer says it."""
    exif = Image.Exif()
    exif[274] = orientation
    made = opened((await cleaned(image(JPEG, exif=exif))).content)

    red = made.getpixel(red_at)
    assert made.size == ((200, 320) if orientation in (6, 8) else (320, 200))
    assert red[0] > 200 > 60 > red[2]
    assert not made.getexif()


async def test_a_document_comes_through() -> None:
    """Its pages are those that were sent, and their writing is still there."""
    made = await cleaned(pdf(3), PDF)

    with pikepdf.open(io.BytesIO(made.content)) as document:
        assert [True] * 3 == [MARKER.encode() in page.Contents.read_bytes() for page in document.pages]
    assert 3 == made.pages


async def test_the_largest_document_comes_through() -> None:
    """Twenty pages are the limit, and within it."""
    assert 20 == (await cleaned(pdf(20))).pages


# ── what is left behind ──


@IMAGES
async def test_nothing_of_the_camera_is_left(kind: str) -> None:
    """Place, author, thumbnails, colour profiles, comments, and whatever stands behind the end: all of it is gone."""
    exif = Image.Exif()
    exif[315] = "marker-author"
    exif.get_ifd(34853)[29] = "marker-place"
    more: dict[str, Any] = {"exif": exif, "icc_profile": b"marker-profile" + bytes(200)}
    if kind == JPEG:
        more["comment"] = b"marker-comment"
    if kind in (JPEG, WEBP):
        more["xmp"] = b"<x:xmpmeta>marker-xmp</x:xmpmeta>"
    sent = image(kind, **more) + b"marker-behind the end"
    made = await cleaned(sent)

    # A PNG packs the profile.
    assert sent.count(b"marker-") >= (3 if kind == PNG else 4)
    assert 0 == made.content.count(b"marker-")
    assert set() == set(opened(made.content).info) & {"exif", "icc_profile", "comment", "xmp", "dpi", "photoshop"}


async def test_a_png_keeps_no_text() -> None:
    """Neither plain nor packed text, nor a chunk of somebody's own."""
    sent = image(PNG)
    at = 8 + 25
    sent = sent[:at] + chunk(b"tEXt", b"Author\0marker-text") + chunk(b"prVt", b"marker-own") + sent[at:]
    made = await cleaned(sent)

    assert 2 == sent.count(b"marker-")
    assert 0 == made.content.count(b"marker-")


async def test_nothing_of_a_document_is_left_but_what_is_seen() -> None:
    """No script, attachment, action, link, metadata or form; what was typed into the form is part of the page."""
    sent = pdf(change=with_everything)
    made = await cleaned(sent)
    with pikepdf.open(io.BytesIO(made.content)) as document:
        words = b"".join(_unpacked(document))
        root, page = set(document.Root.keys()), set(document.pages[0].obj.keys())
    shown = opened(await media.render_page(made.content, FileKind.PDF, 1, READER))

    assert {b"marker-of-a-made-up-diploma"} == _markers(words)
    assert {"/Type", "/Pages"} == root
    assert {"/Type", "/Parent", "/MediaBox", "/Contents", "/Resources"} == page
    # The middle of the field, 200 points up and right, is as black as it was filled.
    assert max(shown.getpixel((int(shown.width * 200 / 595), int(shown.height * (842 - 200) / 842)))) < 140


async def test_the_document_had_all_of_that() -> None:
    """The file of the test above carries what it is to lose."""
    with pikepdf.open(io.BytesIO(pdf(change=with_everything))) as document:
        found = set(_markers(b"".join(_unpacked(document))))

    assert {b"marker-script", b"marker-name", b"marker-attachment", b"marker-piece", b"marker-field"} <= found


def _unpacked(document: pikepdf.Pdf) -> list[bytes]:
    """Everything in a document that a search would find."""
    found = [document.trailer.unparse(resolved=True)]
    for value in document.objects:
        found.append(value.unparse(resolved=True) if not isinstance(value, pikepdf.Stream) else b"")
        if isinstance(value, pikepdf.Stream):
            found += [pikepdf.Dictionary(value.stream_dict).unparse(resolved=True), value.read_bytes()]
    return found


def _markers(words: bytes) -> set[bytes]:
    return set(re.findall(rb"marker-[a-z-]+[a-z]", words))


# ── what is refused ──


@pytest.mark.parametrize(
    ("content", "declared", "expected"),
    [
        (b"", PNG, FileFault.EMPTY),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", FileFault.KIND),
        (b"<!doctype html><script>1</script>", "text/html", FileFault.KIND),
        (archive(), "application/zip", FileFault.KIND),
        (b"GIF89a" + bytes(40), "image/gif", FileFault.KIND),
        (b"%!PS-Adobe", "application/postscript", FileFault.KIND),
        (image(PNG), PDF, FileFault.DISGUISED),
        (pdf(), JPEG, FileFault.DISGUISED),
        (b"<!doctype html>", PNG, FileFault.DISGUISED),
        (image(PNG) + archive(), PNG, FileFault.DISGUISED),
        (image(JPEG) + archive(), "", FileFault.DISGUISED),
        (pdf() + archive(), PDF, FileFault.DISGUISED),
        (image(JPEG, comment=b"%PDF-1.7 a document too"), "", FileFault.DISGUISED),
        (png_bomb(), PNG, FileFault.PIXELS),
        (webp_bomb(), WEBP, FileFault.PIXELS),
        (image(PNG)[:-400], PNG, FileFault.BROKEN),
        (image(JPEG)[:900], JPEG, FileFault.BROKEN),
        (image(WEBP)[:200], WEBP, FileFault.BROKEN),
        (b"\x89PNG\r\n\x1a\n", PNG, FileFault.BROKEN),
        (b"RIFF\0\0\0\0WEBPnone", WEBP, FileFault.BROKEN),
        (b"%PDF-1.7\nnothing follows", PDF, FileFault.BROKEN),
        (pdf()[:400], PDF, FileFault.BROKEN),
        (pdf(pages=0), PDF, FileFault.EMPTY),
        (pdf(pages=21), PDF, FileFault.PAGES),
        (pdf(encryption=pikepdf.Encryption(owner="made up", user="made up")), PDF, FileFault.ENCRYPTED),
        (pdf(encryption=pikepdf.Encryption(owner="made up", user="")), PDF, FileFault.ENCRYPTED),
    ],
    ids=lambda value: value.value if isinstance(value, FileFault) else "",
)
async def test_a_file_is_refused_with_its_reason(content: bytes, declared: str, expected: FileFault) -> None:
    """Each has the code of a sentence that says what to do."""
    assert expected is await fault(content, declared)


async def test_a_file_that_is_too_large_is_refused() -> None:
    """One byte beyond the limit, and not looked into."""
    sent = image(PNG)

    assert FileFault.TOO_LARGE is await fault(sent, PNG, FileRules(bytes=len(sent) - 1))
    assert (await cleaned(sent, PNG, FileRules(bytes=len(sent)))).content


async def test_pixels_are_counted_before_anything_is_decoded() -> None:
    """A header that promises 7.5 gigabytes costs what starting a process costs."""
    before = time.monotonic()

    assert FileFault.PIXELS is await fault(png_bomb())
    assert time.monotonic() - before < 5


async def test_forty_megapixels_are_let_in_and_one_row_more_is_not() -> None:
    """The limit is a number of pixels, whatever the shape."""
    rules = FileRules(pixels=320 * 200)

    assert (await cleaned(image(PNG), PNG, rules)).content
    assert FileFault.PIXELS is await fault(image(PNG, picture((320, 201))), PNG, rules)


async def test_a_huge_picture_in_a_document_is_not_drawn() -> None:
    """A document may say that it holds ten gigabytes of picture; its page is shown without, and soon."""

    def bomb(made: pikepdf.Pdf) -> None:
        huge = made.make_stream(bytes(1_000_000))
        for name, value in (
            ("/Type", pikepdf.Name.XObject), ("/Subtype", pikepdf.Name.Image), ("/Width", 60_000), ("/Height", 60_000),
            ("/BitsPerComponent", 8), ("/ColorSpace", pikepdf.Name.DeviceRGB),
        ):  # fmt: skip
            huge.stream_dict[name] = value
        made.pages[0].obj.Resources.XObject = pikepdf.Dictionary(H=huge)
        made.pages[0].obj.Contents = made.make_stream(b"595 0 0 842 0 0 cm /H Do")

    before = time.monotonic()

    assert 1 == (await cleaned(pdf(change=bomb))).pages
    assert time.monotonic() - before < media.SECONDS


async def test_a_document_that_draws_for_ever_is_broken() -> None:
    """A page that draws a form two thousand times, which draws a form two thousand times, and so on, comes to an end."""

    def form(made: pikepdf.Pdf, inner: Any) -> Any:
        drawn = made.make_stream(b"/I Do " * 2_000 if inner is not None else b"0 0 m 1 1 l S " * 200)
        drawn.stream_dict = pikepdf.Dictionary(
            Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form, BBox=[0, 0, 9, 9],
            Resources=pikepdf.Dictionary(XObject=pikepdf.Dictionary({} if inner is None else {"/I": inner})),
        )  # fmt: skip
        return drawn

    def bomb(made: pikepdf.Pdf) -> None:
        made.pages[0].obj.Resources.XObject = pikepdf.Dictionary(I=form(made, form(made, form(made, None))))
        made.pages[0].obj.Contents = made.make_stream(b"/I Do " * 2_000)

    before = time.monotonic()

    assert FileFault.BROKEN is await fault(pdf(change=bomb))
    assert time.monotonic() - before < media.SECONDS + 5
    assert (await cleaned(image(PNG))).content


@pytest.mark.parametrize("box", [[0, 0, 0, 0], [0, 0, 0, 842], [0, 0, 10**9, 10**9], [0, 0, 1, 14_000], [90, 90, 0, 0]])
async def test_a_page_of_any_size_is_shown(box: list[int]) -> None:
    """Without area, as large as a country, a thread, or upside down: it is drawn at some size that fits."""

    def sized(made: pikepdf.Pdf) -> None:
        made.pages[0].obj.MediaBox = pikepdf.Array(box)

    made = await cleaned(pdf(change=sized))
    page = opened(await media.render_page(made.content, FileKind.PDF, 1, READER))

    assert 2_400 == max(page.size)
    assert min(page.size) >= 1


async def test_a_file_that_takes_too_long_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is ended, and its place is free again."""
    sent = image(PNG)

    with pytest.raises(BadFile) as caught:
        await media.clean(sent, FileKind.PNG, RULES, seconds=0.001)

    assert FileFault.BROKEN is caught.value.fault
    assert (await cleaned(sent)).content
    assert 0 == media.SENT.in_hand


def test_a_place_is_free_again_where_nobody_waits_any_more() -> None:
    """Whoever asked has gone, and the event loop with them, before the process was done."""

    async def goes_away() -> None:
        asking = asyncio.ensure_future(cleaned(image(PNG)))
        await asyncio.sleep(0)
        asking.cancel()

    asyncio.run(goes_away())
    ends = time.monotonic() + 20
    while media.SENT.in_hand and time.monotonic() < ends:
        time.sleep(0.02)

    assert 0 == media.SENT.in_hand


async def test_so_many_wait_and_no_more() -> None:
    """Two at a time, sixteen waiting; the next is asked to come again, and afterwards there is room."""
    sent = pdf(1)
    jobs = [asyncio.create_task(cleaned(sent)) for _ in range(media.AT_A_TIME + media.WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(Rejected) as refused:
        await cleaned(sent)
    await asyncio.gather(*jobs)

    assert ("files_busy", 503) == (refused.value.code, refused.value.status)
    assert 1 == (await cleaned(sent)).pages


async def test_what_is_looked_at_does_not_wait_behind_what_is_sent() -> None:
    """Every place for sent files is taken, and more than may wait; a reviewer's page comes all the same."""
    busy, made = Event(), await cleaned(image(PNG))
    jobs = [asyncio.ensure_future(media.SENT.take(busy.wait, 20)) for _ in range(media.AT_A_TIME + media.WAITING)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(Rejected):
            await cleaned(image(PNG))

        assert await media.render_page(made.content, FileKind.PNG, 1, READER)
    finally:
        busy.set()
        await asyncio.gather(*jobs)


async def test_a_fault_of_the_installation_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that their diploma is broken because a module is missing here."""
    monkeypatch.setattr(media, "_COMMAND", (*media._COMMAND[:-1], "instance.is_not_there"))

    with pytest.raises(media.NotWorking):
        await cleaned(image(PNG))


# ── where files are opened ──


async def test_the_process_gets_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no descriptor and no secret of the server reaches the place where a stranger's file is opened."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/made-up")
    given: dict[str, Any] = {}
    real = media.subprocess.run

    def run(*command: Any, **more: Any) -> Any:
        given.update(more)
        return real(*command, **more)

    monkeypatch.setattr(media.subprocess, "run", run)
    await cleaned(image(PNG))

    assert {"PYTHONPATH", "LANG"} == set(given["env"])
    assert given.get("close_fds", True)
    assert "/" == given["cwd"]


async def test_nothing_is_written_while_a_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the folder for temporary files nor anywhere the process may think of."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    made = await cleaned(pdf(2, change=with_everything))
    await media.render_page(made.content, FileKind.PDF, 2, READER)
    code = "import os; from instance.media_work import _bound; _bound(); os.write(os.open(os.environ['OUT'], 65), b'x')"
    tried = await asyncio.create_subprocess_exec(
        media.sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(media._ROOT), "OUT": str(tmp_path / "out")},
    )  # fmt: skip

    assert 0 != await tried.wait()
    assert b"" == b"".join(path.read_bytes() for path in tmp_path.rglob("*"))


async def test_whoever_takes_the_process_over_reaches_nothing(tmp_path: Path) -> None:
    """A file made to run code finds no file to read, no connection, no program, nothing of the server."""
    secret = tmp_path / "evidence_kek"
    secret.write_bytes(b"K" * 32)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reached = await _reached(
            "work._FORMATS", f"open({str(secret)!r})", f"open('/proc/{os.getpid()}/environ')", f"open('/proc/{os.getpid()}/mem', 'rb')",
            f"socket.create_connection(('127.0.0.1', {listening.getsockname()[1]}))",
            "subprocess.run([sys.executable, '-c', ''])", "os.execv('/bin/true', ['true'])",
        )  # fmt: skip

    assert ["work._FORMATS"] == reached


async def _reached(*acts: str) -> list[str]:
    """Those of the acts that the process that opens files can carry out, each tried in one of its own."""
    done = []
    for act in acts:
        code = (
            "import os, socket, subprocess, sys\nfrom instance import media_work as work\n"
            f"work._load(work.FileKind.PDF); work._bound()\n{act}"
        )
        tried = await asyncio.create_subprocess_exec(
            media.sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL, env={"PYTHONPATH": str(media._ROOT)},
        )  # fmt: skip
        if 0 == await tried.wait():
            done.append(act)
    return done


# ── the watermark ──


def _differs(one: Image.Image, other: Image.Image) -> Image.Image:
    return ImageChops.difference(one.convert("L"), other.convert("L")).point(lambda value: 255 if value > 24 else 0)


@pytest.mark.parametrize("colour", ["white", "black", "gray"])
async def test_no_part_of_a_page_is_without_the_watermark(colour: str) -> None:
    """On paper of any colour each tile worth cutting out shows it."""
    plain = Image.new("RGB", (1_700, 2_400), colour)
    shown = opened(await media.render_page(image(PNG, plain), FileKind.PNG, 1, READER))
    marked = _differs(plain, shown)
    tiles = [
        marked.crop((left, top, left + 425, top + 300)).getbbox() for left in range(0, 1_700, 425) for top in range(0, 2_400, 300)
    ]  # fmt: skip

    assert (1_700, 2_400) == shown.size
    assert all(box is not None and box[2] - box[0] > 100 for box in tiles)
    # It can be read through: most of the page is as it was.
    assert marked.histogram()[255] < marked.width * marked.height * 0.15


async def test_two_readers_get_two_pictures() -> None:
    """Whoever passes a page on passes on who it was shown to, and when."""
    sent = image(PNG, picture((800, 600)))
    first, again, other = [
        await media.render_page(sent, FileKind.PNG, 1, text)
        for text in (READER, READER, "staff-13 2026-11-23 12:05 UTC")
    ]

    assert first == again
    assert _differs(opened(first), opened(other)).getbbox()


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "é"])
async def test_a_page_without_a_reader_is_not_drawn(text: str) -> None:
    """An empty watermark is a mistake of ours, and no page leaves."""
    with pytest.raises(BadFile):
        await media.render_page(image(PNG), FileKind.PNG, 1, text)


@pytest.mark.parametrize(("size", "text"), [((1, 1), READER), ((4_000, 3), READER), ((30, 30), "x" * 500)])
async def test_every_shape_of_page_can_be_shown(size: tuple[int, int], text: str) -> None:
    """One pixel, a strip, a very long name."""
    assert opened(await media.render_page(image(PNG, picture(size)), FileKind.PNG, 1, text)).width >= 1


async def test_a_page_is_shown_large_enough_to_read() -> None:
    """A4 has 2,400 pixels in its height, about 200 to the inch; the second page is not the first."""

    def second(made: pikepdf.Pdf) -> None:
        made.pages[1].obj.Contents = made.make_stream(b"0 0 0 rg 0 0 595 842 re f")

    made = await cleaned(pdf(2, change=second))
    first, other = [opened(await media.render_page(made.content, FileKind.PDF, page, READER)) for page in (1, 2)]

    assert (1_696, 2_400) == first.size
    assert first.convert("L").resize((1, 1)).getpixel((0, 0)) > 200
    assert other.convert("L").resize((1, 1)).getpixel((0, 0)) < 60
    assert os.path.basename(media.PAGE_TYPE) == first.format.lower()
