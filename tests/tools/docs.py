"""The generated parts of the documentation: `python -m tests.tools.docs` checks them, `--write` makes them anew.

A part stands in a page between `<!-- generated: NAME -->` and `<!-- end of NAME -->`; what stands outside is written by
people and never touched.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from tests.tools.docs_parts import PARTS, ROOT


class NoPlace(Exception):
    """A page has no place for a part, or two."""


def renewed(text: str, parts: Mapping[str, str]) -> str:
    """Return a page with every part as it is now; raise NoPlace."""
    for name, part in parts.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(place.findall(text)) != 1:
            raise NoPlace(name)
        block = f"{begin}\n\n{part}\n\n{end}"
        text = place.sub(lambda _, block=block: block, text)
    return text


def stale() -> dict[str, str]:
    """Return each page that is not as it should be, with what it should be."""
    found = {}
    for file, makers in PARTS.items():
        text = (ROOT / file).read_text("utf-8")
        new = renewed(text, {name: make() for name, make in makers.items()})
        if new != text:
            found[file] = new
    return found


def main(arguments: list[str]) -> int:
    """Check, or write with `--write`; return 1 where a page is out of date and was not written."""
    pages = stale()
    for file, text in pages.items():
        if "--write" in arguments:
            (ROOT / file).write_text(text, "utf-8")
            print(f"written: {file}")
        else:
            print(f"out of date: {file}; run `make docs`")
    return 1 if pages and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
