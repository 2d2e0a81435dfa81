"""Pictures of documents that nobody issued."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageDraw

#: What stands on a made-up paper, by the language of its country.
_LICENCE: Final = {
    "fr": ("DOCUMENT FICTIF", "Diplôme d'État de docteur en médecine", "12 avril 2012"),
    "de": ("ERFUNDEN", "Approbation als Ärztin / Arzt", "12. April 2012"),
    "en": ("MADE UP", "Licence to practise medicine", "12 April 2012"),
}
_CERTIFICATE: Final = ("DOCUMENT FICTIF", "Diplôme d'études spécialisées : cardiologie", "3 octobre 2026")
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
    for at, text, size in ((150, made_up, 34), (340, title, 36), (560, name, 48), (980, day, 32)):
        pen.text((_SIZE[0] // 2, at), text, fill="black", font_size=size, anchor="mm")
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()
