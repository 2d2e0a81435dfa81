"""At the largest own size of text, on the smallest phones: no page scrolls sideways, is cut off or hard to touch."""

from __future__ import annotations

import pytest

from tests.browser.test_accessibility import CUT, EXPECTED, INNER, check_here, posts

#: Text that ends outside the window or in what hides it, and labels of the bar that lie over one another.
HIDDEN = """() => {
  const named = node => node.textContent.trim().slice(0, 30);
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest('.unseen, .skip, [hidden], script, noscript, option, textarea, pre')) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const r of range.getClientRects()) {
      if (r.width && (r.right > innerWidth + 0.5 || r.left < -0.5)) found.push(`outside: ${named(text)}`);
      for (let box = element; box; box = box.parentElement) {
        const style = getComputedStyle(box), b = box.getBoundingClientRect();
        if (style.overflowX !== 'visible' && (r.right > b.right + 1 || r.left < b.left - 1)) found.push(`cut: ${named(text)}`);
      }
    }
  }
  const labels = [...document.querySelectorAll('.bar a > span:not(.badge)')].map(e => [e, e.getBoundingClientRect()]);
  labels.forEach(([e, r], i) => {
    const next = labels[i + 1]?.[1];
    if (next && next.top < r.bottom && r.right > next.left + 0.5) found.push(`over its neighbour: ${named(e)}`);
    if (r.bottom > innerHeight + 0.5) found.push(`below the window: ${named(e)}`);
  });
  return [...new Set(found)];
}"""


async def enlarge(visit, size: str) -> str:
    """Choose this size of text, as a doctor does; return what the page then says of it."""
    await visit.open("/me/appearance")
    await visit.page.check(f"[name=text_size][value='{size}']")
    await visit.page.click("form[action='/me/preferences'] button")
    await visit.page.wait_for_url("**saved=preferences")
    return await visit.page.evaluate("getComputedStyle(document.documentElement).fontSize")


@pytest.mark.parametrize("language", ["de", "fr"])
async def test_the_largest_own_text_fits_the_smallest_phones(shown, language):
    """Every page of a doctor at 150 %: nothing wider than the window, nothing cut, every target as large as it has to be."""
    wrong = []
    async with shown.visit(language=language, width=360) as visit:
        await visit.sign_in("marie")
        assert "27px" == await enlarge(visit, "150")
        for path in [*INNER, *await posts(visit)]:
            await visit.open(path)
            for width in (360, 320):
                await visit.page.set_viewport_size({"width": width, "height": 780})
                cut = await visit.page.evaluate(CUT)
                wrong += [(path, width, kind, what) for kind in ("small", "tiny") for what in cut[kind]]
                wrong += [(path, width, "wide", cut["wide"])] if cut["wide"] > 0 else []
                wrong += [(path, width, what) for what in await visit.page.evaluate(HIDDEN)]
        wrong += [text for text in visit.complaints if not EXPECTED.match(text)]

    assert [] == wrong


async def test_the_check_finds_what_is_too_wide_and_cut(shown):
    """The twin: a page on which something is put that does not fit is not let through."""
    async with shown.visit(width=320, bypass_csp=True) as visit:
        await visit.sign_in("marie")
        await visit.open("/me")
        before = (await visit.page.evaluate(CUT))["wide"], await visit.page.evaluate(HIDDEN)
        await visit.page.add_style_tag(
            content="h1 { width: 30rem } h2 { overflow: hidden; width: 1rem; white-space: nowrap }"
        )
        after = (await visit.page.evaluate(CUT))["wide"], await visit.page.evaluate(HIDDEN)

    assert (0, []) == before
    assert after[0] > 100
    assert any(what.startswith("cut: ") for what in after[1])


@pytest.mark.parametrize(("size", "pixels"), [("100", "18px"), ("110", "19.8px"), ("125", "22.5px")])
async def test_each_size_is_what_it_says(shown, axe, size, pixels):
    """In per cent of the base of 18 px, on the next page already; the page of settings stays readable in the dark."""
    async with shown.visit(scheme="dark") as visit:
        await visit.sign_in("marie")
        found = await enlarge(visit, size), await check_here(visit, axe)
        await visit.open("/nowhere")
        missing = await visit.page.evaluate("getComputedStyle(document.documentElement).fontSize")

    assert (pixels, [], pixels) == (*found, missing)
