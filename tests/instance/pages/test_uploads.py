"""Every document that cannot be taken, at the page: a sentence that says what is wrong, what was kept, what to do."""

from __future__ import annotations

import re

import pikepdf
import pytest

from instance import i18n
from tests.instance.files import PDF, PNG, WEBP, archive, image, pdf, png_bomb, webp_bomb
from tests.instance.pages.newcomer import open_door
from tests.town import rows
from verification.documents import FileFault

#: A document for each fault, as people send it: the bytes, the kind it says it is.
BAD = {
    FileFault.EMPTY: (b"", PDF),
    FileFault.TOO_LARGE: (pdf() + bytes(10 * 1024 * 1024), PDF),
    FileFault.KIND: (b"Dear colleagues", "text/plain"),
    FileFault.DISGUISED: (archive(), PNG),
    FileFault.PAGES: (pdf(21), PDF),
    FileFault.PIXELS: (png_bomb(), PNG),
    FileFault.ENCRYPTED: (pdf(encryption=pikepdf.Encryption(owner="x", user="y")), PDF),
    FileFault.BROKEN: (pdf()[:200], PDF),
}
#: What a sentence says of the file, in each language: that it was not kept.
NOT_KEPT = {"en": "not kept", "de": "nicht aufgenommen", "fr": "pas été retenu"}


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def test_each_fault_is_said_at_the_document_and_costs_nothing_else(door):
    """One after the other at the same entry: its own code, its sentence at the field, nothing kept; a good one goes in."""
    eliane = await door.joins()
    await eliane.post("/application/add/diploma", proof="licence")
    piece = await eliane.piece()
    path, found = f"/application/pieces/{piece}/files", {}
    for fault, (content, kind) in BAD.items():
        answer = await eliane.sends(path, content, kind)
        page = str(await answer.get_data(as_text=True))
        at_the_field = re.search(rf'id="file-{piece}-wrong">([^<]+)<', page)
        found[fault] = (answer.status_code, f"({fault.value})" in page, at_the_field is not None)
    kept = await rows(door.node, "select * from evidence_files")
    good = [await eliane.sends(path, image(made), made) for made in (WEBP, PNG)]

    assert dict.fromkeys(BAD, (422, True, True)) == found
    assert [] == kept
    assert [303, 303] == [answer.status_code for answer in good]


async def test_a_seventh_document_has_no_room(door):
    """Six are kept, and the sentence says what to do with the next."""
    eliane = await door.joins()
    await eliane.post("/application/add/diploma", proof="licence")
    path = f"/application/pieces/{await eliane.piece()}/files"
    answers = [await eliane.sends(path, pdf(text=str(number))) for number in range(7)]

    assert [303] * 6 + [422] == [answer.status_code for answer in answers]
    assert "(file_too_many)" in str(await answers[-1].get_data(as_text=True))
    assert 6 == len(await rows(door.node, "select * from evidence_files"))


async def test_a_picture_that_claims_to_be_huge_is_not_opened(door):
    """Forty megapixels by its own words are enough to refuse it, whatever the format."""
    eliane = await door.joins()
    await eliane.post("/application/add/diploma", proof="licence")
    answer = await eliane.sends(f"/application/pieces/{await eliane.piece()}/files", webp_bomb(), WEBP)

    assert 422 == answer.status_code
    assert "(file_pixels)" in str(await answer.get_data(as_text=True))


def test_every_fault_is_tried_here():
    """A fault that is added gets a document, and so a sentence, or fails here; what a scanner finds has tests of its own."""
    assert set(FileFault) == {*BAD, FileFault.TOO_MANY, FileFault.INFECTED}


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("fault", list(FileFault))
def test_a_sentence_says_what_is_wrong_what_was_kept_and_what_to_do(language, fault):
    """Three things in at most four short sentences, in every language."""
    text = str(i18n.catalogue(language).texts[f"error.{fault.value}"])
    sentences = [each for each in re.split(r"(?<=[.;])\s", text) if each]

    assert 2 <= len(sentences) <= 4
    assert NOT_KEPT[language] in text.replace("retenue", "retenu")
