"""One file is opened, in a process of its own: an order on its input, an answer on its output.

Whoever made the file may have made it for us to open. So this process knows nothing but the file: no secret, no
database, no environment. Before it looks at the file it has loaded its libraries and given up the right to open
anything more: no file to read or write, no connection, no other program; it leaves no core dump. It has so much memory
and so much of the processor, and whoever started it ends it after a while (instance.media). Where it fails in any way
the file is broken.

An order and an answer are one line of JSON, and bytes after it.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from verification.documents import BadFile, FileFault, FileKind, FileRules, check_pages, check_pixels

if TYPE_CHECKING:
    import pikepdf
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont, ImageFont

#: Memory that this process may have, in bytes; seconds of the processor.
MEMORY: Final = 2 * 1024**3
PROCESSOR: Final = 20
#: Pixels of the longer side of a page as reviewers see it, and of the trial made at the upload.
SHOWN: Final = 2_400
TRIED: Final = 300
#: Letters of a watermark at most; the colours and the opacity of the letters and of their edge.
LETTERS: Final = 80
_TEXT: Final = (40, 40, 40, 84)
_AROUND: Final = (255, 255, 255, 84)
_FORMATS: Final = {FileKind.JPEG: "JPEG", FileKind.PNG: "PNG", FileKind.WEBP: "WEBP"}
_SAVED: Final[dict[FileKind, dict[str, Any]]] = {
    FileKind.JPEG: {"quality": 90},
    FileKind.PNG: {"compress_level": 4},
    FileKind.WEBP: {"quality": 90, "method": 2},
}
#: What a page of a document keeps; everything else (annotations, actions, thumbnails, metadata) is left behind.
_PAGE: Final = frozenset(
    ("/Type", "/Parent", "/MediaBox", "/CropBox", "/Rotate", "/UserUnit", "/Contents", "/Resources", "/Group")
)
#: What nothing on a page keeps: what acts, what is carried along, what tells of the author, what lies elsewhere.
_DROPPED: Final = frozenset((
    "/A", "/AA", "/AF", "/EF", "/JS", "/LastModified", "/Metadata", "/OPI", "/OpenAction", "/PieceInfo", "/Ref", "/URI",
))  # fmt: skip

Job = Callable[[bytes, dict[str, Any]], tuple[dict[str, Any], bytes]]


def main() -> None:
    """Carry out one order; the answer carries the code of what is wrong with the file, or what was asked for."""
    order = json.loads(sys.stdin.buffer.readline())
    _load(FileKind(order["kind"]))
    _bound()
    content = sys.stdin.buffer.read()
    try:
        answer, made = _JOBS[order["job"]](content, order)
    except ImportError:  # nobody's file is at fault
        raise
    except BadFile as bad:
        answer, made = {"fault": bad.fault.value}, b""
    except Exception:  # of a library, about a file made to provoke it
        answer, made = {"fault": FileFault.BROKEN.value}, b""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + made)


def _load(kind: FileKind) -> None:
    """Load what a file of this kind needs, and what that reads from the disk: afterwards nothing can be opened."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: F401

    Image.init()
    ImageFont.load_default(11)
    if kind is FileKind.PDF:
        import pikepdf  # noqa: F401
        import pypdfium2  # type: ignore[import-untyped]

        pypdfium2.PdfDocument.new().close()


def _bound() -> None:
    """Give up what is not needed: the disk, the network, other programs, core dumps, memory and time without end."""
    for what, most in (
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, PROCESSOR), (resource.RLIMIT_NPROC, 0), (resource.RLIMIT_NOFILE, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))


def _clean(content: bytes, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The file without anything but what is seen of it, and its number of pages."""
    kind, rules = FileKind(order["kind"]), FileRules(pages=order["pages"], pixels=order["pixels"])
    if _is_something_else_too(content, kind):
        raise BadFile(FileFault.DISGUISED)
    if kind is FileKind.PDF:
        made, pages = clean_pdf(content, rules)
        _try_all(made, pages)
        return {"pages": pages}, made
    return {"pages": 1}, clean_image(content, kind, rules)


def _render(content: bytes, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """One page as a JPEG, the watermark all over it."""
    kind = FileKind(order["kind"])
    picture = _page(content, order["page"], SHOWN) if kind is FileKind.PDF else _whole(content, kind, FileRules())
    picture.thumbnail((SHOWN, SHOWN))
    out = io.BytesIO()
    watermarked(picture.convert("RGB"), order["watermark"]).save(out, "JPEG", quality=86)
    return {}, out.getvalue()


_JOBS: Final[dict[str, Job]] = {"clean": _clean, "render": _render}


# ── what a file is besides ──


def _is_something_else_too(content: bytes, kind: FileKind) -> bool:
    """Whether other programs would open the same bytes as an archive, or an image as a document."""
    if kind is not FileKind.PDF and b"%PDF-" in content[:1_024]:
        return True
    end = content.rfind(b"PK\x05\x06", -65_600)
    # An archive ends in a record whose last field counts the comment after it.
    return 0 <= end <= len(content) - 22 and end + 22 + int.from_bytes(content[end + 20 : end + 22], "little") == len(
        content
    )


# ── images ──


def clean_image(content: bytes, kind: FileKind, rules: FileRules) -> bytes:
    """Return the picture made anew: upright, and with nothing of the file's but its colours."""
    out = io.BytesIO()
    _whole(content, kind, rules).save(out, _FORMATS[kind], **_SAVED[kind])
    return out.getvalue()


def _whole(content: bytes, kind: FileKind, rules: FileRules) -> Picture:
    """The first picture of the file, decoded only when it is small enough."""
    from PIL import Image

    if (size := _size_said(content, kind)) is not None:
        check_pixels(*size, rules)
    Image.MAX_IMAGE_PIXELS = None  # what is too large is said by our own rule, before anything is decoded
    with Image.open(io.BytesIO(content), formats=(_FORMATS[kind],)) as opened:
        check_pixels(*opened.size, rules)
        opened.load()
        return _bare(_upright(opened))


def _size_said(content: bytes, kind: FileKind) -> tuple[int, int] | None:
    """Width and height as the head of a PNG or WebP says them; these may not even be opened when too large."""

    def little(at: int, count: int) -> int:
        return int.from_bytes(content[at : at + count], "little")

    if kind is FileKind.PNG and content[12:16] == b"IHDR":
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if kind is not FileKind.WEBP:
        return None
    match content[12:16]:
        case b"VP8X":
            return little(24, 3) + 1, little(27, 3) + 1
        case b"VP8L":
            return (little(21, 4) & 0x3FFF) + 1, (little(21, 4) >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return little(26, 2) & 0x3FFF, little(28, 2) & 0x3FFF
    raise BadFile(FileFault.BROKEN)


def _upright(picture: Picture) -> Picture:
    """The picture as its camera says that it is to be held (EXIF 2.32, tag 274)."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }  # fmt: skip
    try:
        turn = turns.get(picture.getexif().get(274, 1))
    except Exception:  # a camera that tells nonsense still made a picture
        return picture
    return picture if turn is None else picture.transpose(turn)


def _bare(picture: Picture) -> Picture:
    """Its pixels alone, on white where it is transparent, in a new picture that has heard of no metadata."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        picture = picture.point(lambda value: value / 256).convert("L") if picture.mode != "F" else picture.convert("L")
    if picture.mode in ("1", "L"):
        picture = picture.convert("L")
    elif picture.has_transparency_data:
        seen = picture.convert("RGBA")
        picture = Image.new("RGB", seen.size, "white")
        picture.paste(seen, mask=seen.getchannel("A"))
    else:
        picture = picture.convert("RGB")
    made = Image.new(picture.mode, picture.size)
    made.paste(picture)
    return made


# ── documents ──


def clean_pdf(content: bytes, rules: FileRules) -> tuple[bytes, int]:
    """Return a new document with these pages and nothing else, and their number; raise BadFile."""
    import pikepdf

    try:
        source = pikepdf.open(io.BytesIO(content), attempt_recovery=False)
    except Exception:
        # Also without a password, decrypting asks for random numbers from a device that cannot be opened here.
        raise BadFile(FileFault.ENCRYPTED if b"/Encrypt" in content else FileFault.BROKEN) from None
    with source:
        if source.is_encrypted:
            raise BadFile(FileFault.ENCRYPTED)
        check_pages(len(source.pages), rules)
        # What was typed into a form is part of what is shown; then no field, link or attachment is left on a page.
        source.flatten_annotations("screen")
        for page in source.pages:
            for key in set(page.obj.keys()) - _PAGE:
                del page.obj[key]
        made, out = pikepdf.Pdf.new(), io.BytesIO()
        made.pages.extend(source.pages)
        _strip(made)
        made.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return out.getvalue(), len(made.pages)


def _strip(document: pikepdf.Pdf) -> None:
    """Take from every object what nothing on a page keeps."""
    import pikepdf

    waiting: list[Any] = list(document.objects)
    while waiting:
        value = waiting.pop()
        if isinstance(value, pikepdf.Array):
            waiting += [item for item in value if _inside(item)]
        if not isinstance(value, (pikepdf.Dictionary, pikepdf.Stream)):
            continue
        # A table of resources is not of any type, and may call a font whatever it likes.
        typed = isinstance(value, pikepdf.Stream) or "/Type" in value or "/Subtype" in value
        for key in list(value.keys()):
            if typed and key in _DROPPED:
                del value[key]
            elif _inside(value[key]):
                waiting.append(value[key])


def _inside(value: Any) -> bool:
    """Whether it is a part of its holder; what is an object of its own is looked at by itself."""
    import pikepdf

    return isinstance(value, (pikepdf.Array, pikepdf.Dictionary)) and not value.is_indirect


def _try_all(content: bytes, pages: int) -> None:
    """Draw each page once, small: what cannot be shown to a reviewer is better refused to the applicant."""
    for number in range(1, pages + 1):
        _page(content, number, TRIED)


def _page(content: bytes, number: int, longest: int) -> Picture:
    """One page, drawn so that its longer side has so many pixels."""
    import pypdfium2

    document = pypdfium2.PdfDocument(content)
    try:
        page = document[number - 1]
        width, height = page.get_size()
        if not (width > 0 and height > 0):
            raise BadFile(FileFault.BROKEN)
        bitmap = page.render(scale=longest / max(width, height), may_draw_forms=False)
        return bitmap.to_pil().convert("RGB")  # type: ignore[no-any-return]
    finally:
        document.close()


# ── the watermark ──


def watermarked(picture: Picture, text: str) -> Picture:
    """Return the picture with the text all over it, so that no part worth having is without; plain ASCII only."""
    from PIL import ImageFont

    shown = "".join(letter for letter in text if " " <= letter <= "~")[:LETTERS].strip()
    if not shown:
        raise ValueError("a page is shown to somebody")
    tile = _tile(shown, ImageFont.load_default(max(11, min(picture.size) // 45)))
    across, down = tile.width, max(tile.height * 3 // 4, 1)
    for row, top in enumerate(range(-tile.height // 2, picture.height, down)):
        for left in range(-(row % 2) * across // 2 - across // 4, picture.width, across):
            picture.paste(tile, (left, top), tile)
    return picture


def _tile(text: str, font: FreeTypeFont | ImageFont) -> Picture:
    """The text once, slanted, dark with a light edge: it is seen on white and on black."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = (int(edge) for edge in font.getbbox(text))
    tile = Image.new("RGBA", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(tile).text((2 - left, 2 - top), text, font=font, fill=_TEXT, stroke_width=1, stroke_fill=_AROUND)
    return tile.rotate(25, Image.Resampling.BICUBIC, expand=True)


if __name__ == "__main__":
    main()
