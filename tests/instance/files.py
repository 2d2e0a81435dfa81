"""Files as people send them, and as they should not: made here, with the libraries that the product opens them with."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import pikepdf
from PIL import Image, ImageDraw

JPEG, PNG, WEBP, PDF = "image/jpeg", "image/png", "image/webp", "application/pdf"
MARKER = "marker-of-a-made-up-diploma"


def picture(size: tuple[int, int] = (320, 200), mode: str = "RGB") -> Image.Image:
    """Half red, half blue, with a line of writing: the red half is on the left."""
    made = Image.new("RGB", size, "red")
    made.paste("blue", (size[0] // 2, 0, *size))
    ImageDraw.Draw(made).text((10, 10), MARKER, fill="white")
    return made.convert(mode)


def image(kind: str = PNG, made: Image.Image | None = None, **saved: Any) -> bytes:
    """An image as a file."""
    out = io.BytesIO()
    (made or picture()).save(out, kind.removeprefix("image/").upper(), **saved)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A small file that says it is a huge picture."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def webp_bomb(width: int = 16_000, height: int = 16_000) -> bytes:
    """The same as a WebP with a canvas of its own."""
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    inner = image(WEBP)[12:]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def archive() -> bytes:
    """A small zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.txt", MARKER)
    return out.getvalue()


def pdf(pages: int = 1, text: str = MARKER, change: Any = None, **saved: Any) -> bytes:
    """A document with a line of writing on each page; `change` may do anything to it before it is saved."""
    made = pikepdf.Pdf.new()
    font = made.make_indirect(
        pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    )
    for _ in range(pages):
        made.add_blank_page(page_size=(595, 842))
        page = made.pages[-1]
        # Fonts may be called anything, also like something that is dropped elsewhere.
        page.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(AF=font))
        page.obj.Contents = made.make_stream(f"BT /AF 60 Tf 20 700 Td ({text}) Tj ET".encode())
    if change is not None:
        change(made)
    out = io.BytesIO()
    made.save(out, **saved)
    return out.getvalue()


def with_everything(made: pikepdf.Pdf) -> None:
    """Scripts, an attachment, actions, a link, metadata, a form: whatever a document may carry that is not seen."""
    script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert('marker-script')"))
    made.Root.OpenAction = made.make_indirect(script)
    made.Root.Names = pikepdf.Dictionary(
        JavaScript=pikepdf.Dictionary(Names=[pikepdf.String("marker-name"), made.make_indirect(script)])
    )
    made.attachments["marker-attached.txt"] = b"marker-attachment"
    with made.open_metadata() as metadata:
        metadata["dc:title"] = "marker-title"
    made.docinfo["/Author"] = "marker-author"
    page = made.pages[0].obj
    page.AA = pikepdf.Dictionary(O=script)
    page.PieceInfo = pikepdf.Dictionary(X=pikepdf.Dictionary(Private=pikepdf.String("marker-piece")))
    page.Contents.Metadata = made.make_stream(b"marker-stream-metadata")
    link = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 100, 100],
        A=pikepdf.Dictionary(S=pikepdf.Name.URI, URI=pikepdf.String("https://marker-link.example")),
    )  # fmt: skip
    page.Annots = made.make_indirect(pikepdf.Array([made.make_indirect(link), _typed(made)]))


def _typed(made: pikepdf.Pdf) -> Any:
    """A field of a form, in which something stands: a black square."""
    seen = made.make_stream(b"0 0 0 rg 0 0 200 200 re f")
    seen.stream_dict = pikepdf.Dictionary(
        Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form, BBox=[0, 0, 200, 200], Resources=pikepdf.Dictionary()
    )
    field = made.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Tx, T=pikepdf.String("marker-field"),
            V=pikepdf.String("x"), Rect=[100, 100, 300, 300], AP=pikepdf.Dictionary(N=seen),
        )
    )  # fmt: skip
    made.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([field]))
    return field


def opened(content: bytes) -> Image.Image:
    """A picture from bytes."""
    made = Image.open(io.BytesIO(content))
    made.load()
    return made
