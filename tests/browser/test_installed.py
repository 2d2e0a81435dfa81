"""As an installed application: without a line one page is shown, nothing typed is lost, and no discussion is on the device."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.async_api import async_playwright

from instance.i18n import catalogue
from tests.browser.chromium import CHROMIUM, flags
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import CUT, WORKERS, check_here, posts
from tests.instance.pages.rows import PASSWORD

WORDS = "three quiet rivers meet"
#: What stands in the caches of the worker: the path of each answer, and its text.
CACHED = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const asked of await cache.keys()) found[new URL(asked.url).pathname] = await (await cache.match(asked)).text();
  }
  return found;
}"""
SHIFTED = """() => new Promise(say => {
  let sum = 0;
  new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.value; }))
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => say(sum), 400);
})"""
#: Words that only stand in discussions, and of people.
CLINICAL = ("Syncope after exercise", "Resting ECG", "Lefèvre", "Weber", "anticoagulation", "Ablation")


async def signed_in(visit: Visit) -> None:
    """Sign in, and wait until the worker is there and speaks for the page."""
    await visit.sign_in("marie")
    await visit.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await visit.page.wait_for_function("navigator.serviceWorker.controller !== null")


async def test_without_a_line_one_page_is_shown(shown, axe):
    """In the reader's language; it is readable, holds nothing of what was open, and gives way when the line is back."""
    words = catalogue("de")
    async with shown.visit(language="de", scheme="dark") as visit:
        await signed_in(visit)
        case = (await posts(visit))[0]
        await visit.context.set_offline(True)
        await visit.page.goto(shown.origin + case)
        text = await visit.page.inner_text("body")
        wrong = [*await check_here(visit, axe), *(await visit.page.evaluate(CUT))["small"]]
        colour = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        await visit.keep_picture("offline")
        await visit.context.set_offline(False)
        await visit.page.wait_for_selector(".post")

    assert words.text("offline.title") in text
    assert words.text("offline.text") in text
    assert not [word for word in CLINICAL if word in text]
    assert ([], "rgb(15, 23, 27)") == (wrong, colour)


async def test_with_a_line_the_page_is_the_networks(shown):
    """The twin: what is shown is what the instance answers now, never what was answered before."""
    async with shown.visit() as visit:
        await signed_in(visit)
        case = (await posts(visit))[0]
        await visit.open(case)
        await visit.page.click("text=Sign out")
        await visit.page.wait_for_load_state()
        await visit.open(case)

        assert "/sign-in" in visit.page.url


async def test_a_form_without_a_line_stays_with_what_was_typed(shown):
    """It says so at the form; with the line back the same form is sent, by the same button."""
    form, typed = "form[action='/me/password']", {"old_password": PASSWORD, "password": WORDS, "again": WORDS}
    async with shown.visit() as visit:
        await signed_in(visit)
        await visit.open("/me/password")
        for field, text in typed.items():
            await visit.page.fill(f"#{field}", text)
        await visit.context.set_offline(True)
        await visit.page.click(f"{form} button")
        note = visit.page.locator(f"{form} [data-no-line]")
        await note.wait_for()
        box, bar = await note.bounding_box(), await visit.page.locator(".bar").bounding_box()
        said, held = await note.inner_text(), [await visit.page.input_value(f"#{field}") for field in typed]
        await visit.keep_picture("form-offline")
        await visit.context.set_offline(False)
        await visit.page.click(f"{form} button")
        await visit.page.wait_for_url("**/me?saved=password")

    assert catalogue("en").text("offline.form") == said
    assert box["y"] + box["height"] <= bar["y"]
    assert list(typed.values()) == held


async def test_no_discussion_is_kept_on_the_device(shown, tmp_path: Path):
    """After a walk: the worker keeps its page alone, and in the profile on disk stands a sheet, but no word of a case."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=CHROMIUM, args=flags(), locale="en", viewport={"width": 360, "height": 780}
        )
        visit = Visit(await context.new_page(), context, shown.origin)
        await signed_in(visit)
        for path in ["/feed?tab=all", *await posts(visit), "/notices", "/colleagues", "/doctors/marie", "/me/posts"]:
            await visit.open(path)
        cached = await visit.page.evaluate(CACHED)
        workers = await visit.page.evaluate(WORKERS)
        await visit.page.wait_for_timeout(1_500)  # what a browser writes to disk, it writes a little later
        await context.close()
    kept = [path for path in sorted(tmp_path.rglob("*")) if path.is_file() and _is_cache(path)]
    held = {word for word in CLINICAL for path in kept if word.encode() in path.read_bytes()}

    assert [f"{shown.origin}/worker.js"] == workers
    assert {"/offline", "app.css", "icon.svg", "offline.js"} == {
        path.rpartition("/static/")[2][17:] or path for path in cached
    }
    assert not [word for word in (*CLINICAL, "Marie") if word in json.dumps(cached, ensure_ascii=False)]
    assert set() == held
    # The twin: what may be kept is found by the same search.
    assert any(b"app.css" in path.read_bytes() for path in kept)


def _is_cache(path: Path) -> bool:
    """What a browser keeps of answers, or for scripts; its history and its cookies are the device's own."""
    return bool(
        {"Cache", "Code Cache", "Service Worker", "Local Storage", "Session Storage", "IndexedDB"} & set(path.parts)
    )


async def test_nothing_moves_while_a_page_opens(shown):
    """No layout shift on the feed, a case and the notices, at either end of the sizes of text."""
    found = {}
    async with shown.visit() as visit:
        await visit.sign_in("marie")
        case = (await posts(visit))[0]
        for size in ("100", "150"):
            await visit.open("/me/appearance")
            await visit.page.check(f"[name=text_size][value='{size}']")
            await visit.page.click("form[action='/me/preferences'] button")
            await visit.page.wait_for_url("**saved=preferences")
            for path in ("/feed?tab=all", case, "/notices"):
                await visit.open(path)
                found[size, path] = await visit.page.evaluate(SHIFTED)

    assert dict.fromkeys(found, 0) == found
    assert 6 == len(found)
