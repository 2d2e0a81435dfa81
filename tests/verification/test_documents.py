"""Files that are shown as evidence: what may be kept, and what is turned away with a code."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from verification.documents import (
    HEAD,
    BadFile,
    FileFault,
    FileKind,
    FileRules,
    accept,
    check_pages,
    check_pixels,
    sniff,
    taken,
)

RULES = FileRules()
HEADS = {
    FileKind.JPEG: b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    FileKind.PNG: b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    FileKind.WEBP: b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    FileKind.PDF: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
}
OTHERS = [
    b"", b"\xff\xd8", b"PK\x03\x04", b"MZ\x90\x00", b"GIF89a", b"<html>", b" %PDF-1.7", b"RIFF\x24\x00\x00\x00WAVE",
    b"\x89PNG\n\x1a\n", b"II*\x00", b"\x00\x00\x00\x18ftypheic", b"%!PS-Adobe-3.0", b"BM",
]  # fmt: skip


def fault(head: bytes, declared: str, size: int = 100, already: int = 0) -> FileFault | None:
    """Why a file is turned away, None when it is kept."""
    try:
        accept(head, size, declared, already, RULES)
    except BadFile as refused:
        return refused.fault
    return None


@pytest.mark.parametrize("kind", FileKind)
def test_the_first_bytes_say_the_kind(kind: FileKind) -> None:
    """Declared rightly, by another word for the same, or not at all."""
    assert kind == sniff(HEADS[kind][:HEAD])
    for declared in (kind.value, kind.value.upper() + "; charset=binary", "", "application/octet-stream"):
        assert kind == accept(HEADS[kind], 100, declared, 0, RULES)
    assert FileKind.JPEG == accept(HEADS[FileKind.JPEG], 100, "image/jpg", 0, RULES)


@pytest.mark.parametrize("head", OTHERS, ids=repr)
def test_other_kinds_are_turned_away(head: bytes) -> None:
    """By what they are; when they pretend to be one of ours, that is said."""
    assert sniff(head) is None
    assert FileFault.KIND == fault(head, "") == fault(head, "application/zip")
    assert FileFault.DISGUISED == fault(head, "image/png") == fault(head, "application/pdf")


def test_a_kind_under_another_name_is_disguised() -> None:
    """Every pair of kinds, and a name that we do not take for a file that we would."""
    for kind in FileKind:
        others = [other.value for other in FileKind if other is not kind]
        assert [FileFault.DISGUISED] * 5 == [fault(HEADS[kind], said) for said in (*others, "text/html", "image/gif")]


def test_limits_are_kept_to_the_byte() -> None:
    """Ten mebibytes, six files; one more of either is too many."""
    png = HEADS[FileKind.PNG]

    assert 10 * 1024 * 1024 == RULES.bytes
    assert (None, FileFault.TOO_LARGE) == (fault(png, "", RULES.bytes), fault(png, "", RULES.bytes + 1))
    assert (None, FileFault.TOO_MANY) == (fault(png, "", already=5), fault(png, "", already=6))
    assert FileFault.EMPTY == fault(b"", "", size=0)


def test_pages_and_pixels_are_kept() -> None:
    """Twenty pages, forty megapixels; none at all is no document."""
    check_pages(1, RULES)
    check_pages(20, RULES)
    check_pixels(8000, 5000, RULES)
    for pages, why in ((0, FileFault.EMPTY), (21, FileFault.PAGES)):
        with pytest.raises(BadFile) as refused:
            check_pages(pages, RULES)
        assert why == refused.value.fault
    for size, why in (((8000, 5001), FileFault.PIXELS), ((0, 5), FileFault.BROKEN), ((5, -1), FileFault.BROKEN)):
        with pytest.raises(BadFile) as refused:
            check_pixels(*size, RULES)
        assert why == refused.value.fault


@pytest.mark.parametrize(
    ("waiting", "kept", "places"),
    [
        (0, 0, 0),
        (3, 3, 3),
        (6, 6, 6),
        (0, 6, 0),
        (2, 8, 2),
        (0, 18, 0),
        (1, 20, 2),
        (0, 24, 6),
        (6, 24, 6),
        (0, 99, 81),
    ],
)
def test_what_was_handed_in_takes_no_place_within_bounds(waiting: int, kept: int, places: int) -> None:
    """A question opens room for six more files, and not for ever."""
    assert places == taken(waiting, kept, RULES)


@given(st.binary(max_size=HEAD), st.text(max_size=30), st.integers(), st.integers(min_value=0))
@example(HEADS[FileKind.PDF], "application/pdf", 100, 0)
@settings(max_examples=examples(300), deadline=None)
def test_whatever_is_uploaded_is_kept_or_turned_away(head: bytes, declared: str, size: int, already: int) -> None:
    """No other exception, and nothing is kept that is not one of the four."""
    kept = fault(head, declared, size, already) is None

    assert not kept or (sniff(head) in set(FileKind) and 0 < size <= RULES.bytes and already < RULES.files)
