"""Pictures of documents that nobody issued, in plain capitals: the font that comes along has no accents."""

from __future__ import annotations

import io
import unicodedata
from typing import Final

from PIL import Image, ImageDraw

#: What stands on a made-up deed, by the language of its country.
_LICENCE: Final = {
    "fr": ("Document fictif", "Diplôme d'État de docteur en médecine", "le 12 avril 2012"),
    "de": ("Erfunden", "Approbationsurkunde", "am 12. April 2012"),
    "en": ("Made up", "Licence to practise medicine", "12 April 2012"),
}
_CERTIFICATE: Final = ("Document fictif", "Diplôme d'études spécialisées : cardiologie", "le 3 octobre 2026")
_SIZE: Final = (900, 1200)


def licence(name: str, language: str) -> bytes:
    """The deed that makes somebody a doctor."""
    return _paper(*_LICENCE.get(language, _LICENCE["en"]), name)


def certificate(name: str) -> bytes:
    """The certificate of a French specialist."""
    return _paper(*_CERTIFICATE, name)


def _paper(made_up: str, title: str, day: str, name: str) -> bytes:
    picture = Image.new("RGB", _SIZE, "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((40, 40, _SIZE[0] - 40, _SIZE[1] - 40), outline="navy", width=6)
    for at, text, size in ((150, made_up, 30), (340, title, 32), (560, name, 44), (980, day, 30)):
        pen.text((_SIZE[0] // 2, at), _capitals(text), fill="black", font_size=size, anchor="mm")
    kept = io.BytesIO()
    picture.save(kept, "PNG", compress_level=1)
    return kept.getvalue()


def _capitals(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.upper())
    return "".join(sign for sign in split if not unicodedata.combining(sign))
