"""Light and dark: what a doctor chose is what is shown, whatever the device prefers, and both are the same two palettes."""

from __future__ import annotations

import re

import pytest

from instance.assets import assets

SHEET = assets()["app.css"].body.decode()
COLOURS = sorted(set(re.findall(r"^  (--[a-z-]+): var\(--light, .+\) var\(--dark, .+\);$", SHEET, re.MULTILINE)))

LOOK = """names => {
  const style = getComputedStyle(document.documentElement);
  const shown = getComputedStyle(document.body);
  const palette = names.map(name => style.getPropertyValue(name).trim());
  return {palette, drawn: [style.colorScheme, shown.backgroundColor, shown.color]};
}"""


async def look(shown, scheme: str, appearance: str) -> dict:
    """Every colour, and what the page is drawn with, on a device that prefers this for a doctor who chose that."""
    async with shown.visit(scheme=scheme) as visit:
        await visit.sign_in("marie")
        await visit.open("/me/appearance")
        await visit.page.select_option("#appearance", appearance)
        await visit.page.locator("form:has(#appearance) button").first.click()
        await visit.page.wait_for_url("**saved=preferences**")
        await visit.open("/feed")
        return await visit.page.evaluate(LOOK, COLOURS)


@pytest.mark.parametrize(
    ("wanted", "ways"),
    [
        ("light", [("light", ""), ("light", "light"), ("dark", "light")]),
        ("dark", [("dark", ""), ("dark", "dark"), ("light", "dark")]),
    ],
)
async def test_a_choice_looks_like_a_device_that_prefers_it(shown, wanted, ways):
    """Three ways to one palette, without a colour missing; the twin, the other palette, has other colours."""
    found = [await look(shown, *way) for way in ways]
    other = await look(shown, "light", "dark" if wanted == "light" else "light")

    assert found[0]["palette"] == found[1]["palette"] == found[2]["palette"]
    assert found[0]["drawn"][1:] == found[1]["drawn"][1:] == found[2]["drawn"][1:]
    assert ["light dark", wanted, wanted] == [way["drawn"][0] for way in found]
    assert all(found[0]["palette"])
    assert not [pair for pair in zip(found[0]["palette"], other["palette"], strict=True) if pair[0] == pair[1]]


def test_every_colour_stands_once():
    """A colour is named in the palette alone, so that neither appearance can be forgotten for it."""
    palette = SHEET[: SHEET.index("\n}\n", SHEET.index("--paper:"))]
    rest = SHEET[len(palette) :]

    assert len(COLOURS) == palette.count("var(--light,") == palette.count("var(--dark,") == 20
    assert [] == re.findall(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl)a?\(|prefers-color-scheme|data-appearance", rest)
