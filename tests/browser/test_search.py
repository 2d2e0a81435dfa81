"""The search in a browser: by keyboard alone, on a phone and wide; what is found and what is not can be used by everybody."""

from __future__ import annotations

import pytest

from instance.services.search_index import SearchIndex
from tests.browser.test_accessibility import check_here


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("de", "dark", 360), ("fr", "light", 360), ("en", "light", 1280)]
)
async def test_a_search_by_keyboard(shown, axe, language, scheme, width):
    """Typed, sent with Enter, filtered, gone into and back from; found or not, the page reads well."""
    await SearchIndex(shown.house.node).fill_all()
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        await visit.sign_in("marie")
        await visit.open("/search")
        await visit.keep_picture(f"search-{language}-form")
        wrong = await check_here(visit, axe)
        for name, typed in (
            ("found", "synkope syncope"),
            ("wide", "syncope"),
            ("people", "weber"),
            ("near", "Kardiologie"),
            ("none", "tremor nystagmus"),
        ):
            await visit.page.focus("#q")
            await visit.page.fill("#q", typed)
            async with visit.page.expect_navigation(url="**/search?s=*"):
                await visit.page.keyboard.press("Enter")
            assert typed == await visit.page.input_value("#q")
            wrong += [f"{name}: {each}" for each in await check_here(visit, axe)]
            await visit.keep_picture(f"search-{language}-{name}")
            if name == "wide":
                await visit.page.click(".found .card-title a")
                await visit.page.wait_for_url("**/posts/*")
                await visit.page.go_back()
                assert typed == await visit.page.input_value("#q")
        marked = await visit.page.get_attribute(".bar [aria-current=page]", "href")

    assert [] == wrong
    assert "/search" == marked
    assert [] == visit.complaints
