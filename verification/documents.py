"""What makes an uploaded file acceptable: its kind by its first bytes, its size, its pages, and how many there are.

Whoever opens a file (instance) asks here before decoding anything, and says in the same codes what it found inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from verification.errors import NotAllowed

#: So many first bytes are enough for `sniff`.
HEAD: Final = 16


class FileKind(StrEnum):
    """The kinds of file that are accepted, as media types."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"


class FileFault(StrEnum):
    """Why a file is not accepted."""

    EMPTY = "file_empty"
    TOO_LARGE = "file_too_large"
    KIND = "file_kind"
    DISGUISED = "file_disguised"
    TOO_MANY = "file_too_many"
    PAGES = "file_pages"
    PIXELS = "file_pixels"
    ENCRYPTED = "file_encrypted"
    BROKEN = "file_broken"
    INFECTED = "file_infected"


class BadFile(NotAllowed):
    """The file is not accepted; `fault` is the code of the sentence that says what to do."""

    code = "bad_file"

    def __init__(self, fault: FileFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """The limits of an instance: bytes of one file, files of one dossier, pages of a PDF, pixels of one image."""

    bytes: int = 10 * 1024 * 1024
    files: int = 6
    pages: int = 20
    pixels: int = 40_000_000


#: What browsers and people call the same kind, and what says nothing.
_SYNONYMS: Final = {"image/jpg": FileKind.JPEG, "image/pjpeg": FileKind.JPEG, "application/x-pdf": FileKind.PDF}
_SAYS_NOTHING: Final = frozenset({"", "application/octet-stream"})


def taken(waiting: int, kept: int, rules: FileRules) -> int:
    """How many places of `files` are taken: by what waits to be handed in, so that a question opens room for more.

    All that a dossier keeps at a time stays within four times as many.
    """
    return max(waiting, kept - 3 * rules.files)


def sniff(head: bytes) -> FileKind | None:
    """Return the kind by the first `HEAD` bytes, or None; what begins with anything else is not looked through."""
    if head.startswith(b"\xff\xd8\xff"):
        return FileKind.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileKind.PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileKind.WEBP
    return FileKind.PDF if head.startswith(b"%PDF-") else None


def accept(head: bytes, size: int, declared: str, already: int, rules: FileRules) -> FileKind:
    """Return the kind of a file that may be kept; raise BadFile with the first reason against it.

    `declared` is the media type that came with it, empty where none did; `already`: places that are taken (`taken`).
    """
    if already >= rules.files:
        raise BadFile(FileFault.TOO_MANY)
    if size <= 0:
        raise BadFile(FileFault.EMPTY)
    if size > rules.bytes:
        raise BadFile(FileFault.TOO_LARGE)
    found, said = sniff(head), declared.partition(";")[0].strip().lower()
    said = _SYNONYMS.get(said, said)
    if found is not None and (said in _SAYS_NOTHING or said == found):
        return found
    # A kind we take was announced, or is inside, and the two are not the same.
    raise BadFile(FileFault.DISGUISED if found is not None or said in set(FileKind) else FileFault.KIND)


def check_pages(pages: int, rules: FileRules) -> None:
    """Raise BadFile for a PDF without pages or with too many."""
    if pages < 1:
        raise BadFile(FileFault.EMPTY)
    if pages > rules.pages:
        raise BadFile(FileFault.PAGES)


def check_pixels(width: int, height: int, rules: FileRules) -> None:
    """Raise BadFile for an image without area or with too much; asked before it is decoded."""
    if width < 1 or height < 1:
        raise BadFile(FileFault.BROKEN)
    if width * height > rules.pixels:
        raise BadFile(FileFault.PIXELS)
