"""What staff do at the pages of the desk, as they send its forms."""

from __future__ import annotations

import re
from typing import Any

from tests.instance.pages.desk_house import known, seen
from tests.instance.pages.house import Visitor

REJECTED = {"choice": "reject", "ground": "incomplete"}
APPROVED = {"choice": "approve", "ground": "evidence_holds"}


async def text_of(answer: Any) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def finds(visitor: Visitor, dossier: str) -> Any:
    """Tick what a good licence deed shows."""
    page = await visitor.text(f"/desk/{dossier}")
    piece = re.search(r'name="piece" value="([^"]+)"', page)
    assert piece is not None, page
    return await visitor.post(f"/desk/{dossier}/findings", piece=piece[1], same_name="1", from_authority="1")


async def votes(visitor: Visitor, dossier: str, act: str = "vote", **form: str) -> Any:
    """Vote on the version of this moment."""
    page = await visitor.text(f"/desk/{dossier}")
    return await visitor.post(f"/desk/{dossier}/{act}", seen=seen(page), known=known(page), **form)
