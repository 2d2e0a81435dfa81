"""Every page in each language, appearance and width, every two of them together: readable, reachable, at home alone."""

from __future__ import annotations

import itertools
import re

import pytest

LANGUAGES = ("en", "de", "fr")
#: Every two of language, appearance and width meet on every page; all three at once would be twelve.
LOOKS = (
    ("en", "light", 360), ("en", "dark", 1280), ("de", "light", 1280), ("de", "dark", 360), ("fr", "light", 360),
    ("fr", "dark", 1280),
)  # fmt: skip
OUTER = (
    "/", "/join", "/sign-in", "/recover", "/recover/team", "/federation", "/help", "/privacy", "/accessibility", "/nowhere",
    "/offline",
)  # fmt: skip
INNER = (
    *("/feed", "/feed?tab=colleagues", "/feed?tab=all&kind=question", "/feed?tab=all&kind=study-report", "/write"),
    "/search",
    *("/feed?tab=questions", "/feed?tab=all&specialty=cardiology&solved=no", "/write?kind=question"),
    *("/news", "/news/dermatology", "/news?kind=congress-report&when=past", "/write?kind=study-report"),
    *("/colleagues", "/colleagues?q=web", "/colleagues?q=nobody", "/colleagues/followers", "/colleagues/following"),
    *(
        "/notices",
        "/notices?show=answers",
        "/me/notifications",
        "/mail/off/x",
        "/me",
        "/doctors/marie",
        "/doctors/anna.weber@de.localhost:8002",
        "/doctors/giulia@it.localhost:8003",
    ),
    *("/federation", "/posts/nope"),
    *("/me/security", "/me/profile", "/me/move", "/me/export", "/colleagues/blocked"),
    *("/me/appearance", "/me/password", "/me/sessions"),
    *("/colleagues?language=de&role=specialist", "/colleagues/followers?q=zz", "/colleagues/muted", "/lists"),
    *("/me/card", "/me/contact", "/contact", "/contact?who=nobody"),
    *("/me/saved", "/me/posts", "/me/answers"),
)
#: What browsers say of the two pages that are missing on purpose.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of (404|403|422)")

CUT = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const sizes = [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')]
    .filter(e => e.offsetParent && !e.closest('.skip, label'))
    .map(e => [e, e.getBoundingClientRect()])
    .filter(([e, r]) => r.height > 0);
  const named = ([e, r]) => `${e.tagName} ${e.textContent.trim().slice(0, 30)} ${r.width}x${r.height}`;
  const below = (least) => ([e, r]) => r.height < least - 0.5 || r.width < least - 0.5;
  // Links inside sentences and names are as high as their line (WCAG 2.5.8, inline).
  const inline = 'p, .content, .who, dd, h2, h3';
  const small = sizes.filter(([e]) => !e.closest(inline) || e.matches('.button, button')).filter(below(44)).map(named);
  const tiny = sizes.filter(([e]) => !e.closest('p, .content')).filter(below(24)).map(named);
  return {wide, small, tiny};
}"""


#: The scripts of the service workers of this origin.
WORKERS = """() => navigator.serviceWorker.getRegistrations()
  .then(all => all.map(one => (one.active || one.waiting || one.installing).scriptURL))"""
#: Puts values into a form, whatever the fields would accept, and sends it.
FILL = """([form, fields]) => {
  const sent = document.querySelector(form);
  sent.noValidate = true;
  for (const [field, value] of Object.entries(fields)) {
    const all = sent.querySelectorAll(field);
    if (all[0].type === 'radio') { all[0].value = value; all[0].checked = true; } else all[0].value = value;
  }
  sent.requestSubmit();
}"""
#: What is wrong with the fields that are marked: none at all, or one that no sentence describes.
DESCRIBED = """() => {
  const marked = [...document.querySelectorAll('[aria-invalid=true]')];
  const bare = e => !e.getAttribute('aria-describedby').split(' ').some(
    id => document.getElementById(id)?.classList.contains('wrong'));
  return marked.length === 0 ? ['nothing is marked'] : marked.filter(bare).map(e => e.id || e.tagName);
}"""


async def check_here(visit, axe) -> list[str]:
    """What is wrong with the page that is open."""
    found = await axe.run(visit.page, options={"resultTypes": ["violations"]})
    wide = (await visit.page.evaluate(CUT))["wide"]
    rules = [f"{rule['id']}: {rule['nodes'][0]['target']}" for rule in found.response["violations"]]
    return [*rules, *([f"{wide} px too wide"] if wide > 0 else [])]


async def posts(visit) -> list[str]:
    """The addresses of a thread and of an own post, with what can be done to them."""
    await visit.open("/feed?tab=all")
    links = await visit.page.locator(".card-title a").evaluate_all("all => all.map(a => [a.textContent, a.pathname])")
    case = next(path for title, path in links if title.startswith("Syncope"))
    own = next(path for title, path in links if title.startswith("Quelle"))
    named = next(path for title, path in links if title.startswith("Second"))
    return [
        case,
        case + "/report",
        case + "/history",
        own,
        own + "/edit",
        own + "/withdraw",
        own + "/poll",
        own + "/resolution",
        named,
    ]


async def check(visit, axe, paths) -> list[str]:
    """What is wrong with these pages, in sentences."""
    wrong = []
    for path in paths:
        await visit.open(path)
        found = await axe.run(visit.page, options={"resultTypes": ["violations"]})
        for rule in found.response["violations"]:
            where = "; ".join(str(node["target"]) for node in rule["nodes"][:3])
            wrong.append(f"{path}: {rule['id']} ({rule['impact']}): {where}")
        for width in (visit.page.viewport_size["width"], 320):
            await visit.page.set_viewport_size({"width": width, "height": 780})
            cut = await visit.page.evaluate(CUT)
            if cut["wide"] > 0:
                wrong.append(f"{path}: {cut['wide']} px too wide at {width}")
            wrong += [f"{path}: target under 44 px at {width}: {target}" for target in cut["small"]]
            wrong += [f"{path}: target under 24 px at {width}: {target}" for target in cut["tiny"]]
            if width > 360:
                break
        await visit.page.set_viewport_size({"width": 360 if width == 320 else width, "height": 780})
    wrong += [f"complaint: {text}" for text in visit.complaints if not EXPECTED.match(text)]
    return wrong + [f"foreign request: {url}" for url in visit.foreign]


def test_the_looks_meet_in_pairs():
    """Each page is seen in every language with every appearance and every width, and in every appearance with every width."""
    seen = {pair for look in LOOKS for pair in itertools.combinations(look, 2)}
    sides = (LANGUAGES, ("light", "dark"), (360, 1280))
    pairs = {pair for one, other in itertools.combinations(sides, 2) for pair in itertools.product(one, other)}

    assert pairs == seen


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS)
async def test_every_page_can_be_used_by_everybody(shown, axe, language, scheme, width):
    """No violation of the checker (contrast included), nothing cut or small, no complaint, no foreign request."""
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        wrong = await check(visit, axe, OUTER)
        await visit.sign_in("marie")
        wrong += await check(visit, axe, [*INNER, *await posts(visit)])

    assert [] == wrong


@pytest.mark.parametrize(("login", "arrives"), [("late", "/application$"), ("staff", "/me/security$")])
async def test_the_closed_door_can_be_used_too(shown, axe, login, arrives):
    """Whoever is not in good standing gets a page that reads well and leads on."""
    async with shown.visit() as visit:
        await visit.sign_in(login, arrives)
        wrong = await check(visit, axe, ["/feed", "/me"])
        text = await visit.page.inner_text("main")

    assert [] == wrong
    assert text


async def test_forms_with_mistakes_can_be_used_too(shown, axe):
    """The mistake at a reply, at a group and at a field is read with it; nothing is cut, nothing is named twice."""
    async with shown.visit() as visit:
        await visit.sign_in("marie")
        case, found = (await posts(visit))[0], {}
        for path, form, fields in (
            (case, ".reply form", {"textarea": "   "}),
            ("/write", "main form", {"#title": "T", "#text": "   "}),
            ("/write", "main form", {"#title": "T", "#text": "X", "#specialty-1": "", "[name=audience]": "none"}),
        ):
            await visit.open(path)
            await visit.page.evaluate("document.querySelectorAll('details').forEach(all => { all.open = true })")
            await visit.page.evaluate(FILL, [form, fields])
            await visit.page.wait_for_selector("#mistakes")
            wrong = await visit.page.evaluate(DESCRIBED)
            found[form, *fields] = [*wrong, *await check_here(visit, axe)]

    assert {key: [] for key in found} == found


@pytest.mark.parametrize("size", ["200%", "spacing"])
async def test_large_text_and_wide_spacing_cut_nothing(shown, size):
    """At 200 % text, and with the spacing of WCAG 1.4.12, no page scrolls sideways, at 360 px nor at 320."""
    rule = {
        "200%": "html { font-size: 225% !important }",
        "spacing": "* { line-height: 1.5 !important; letter-spacing: .12em !important;"
        " word-spacing: .16em !important } p { margin-bottom: 2em !important }",
    }[size]
    wide = []
    async with shown.visit(width=360, bypass_csp=True, language="de") as visit:
        await visit.sign_in("marie")
        for path in [*INNER, *await posts(visit)]:
            await visit.open(path)
            await visit.page.add_style_tag(content=rule)
            for width in (360, 320):
                await visit.page.set_viewport_size({"width": width, "height": 780})
                if (await visit.page.evaluate(CUT))["wide"] > 0:
                    wide.append((path, width))

    assert [] == wide


async def test_forced_colours_keep_what_is_chosen_visible(shown):
    """With the system's own colours the current place and tab still have a border."""
    async with shown.visit(forced_colors="active") as visit:
        await visit.sign_in("marie")
        styles = await visit.page.locator("[aria-current=page]").evaluate_all(
            "all => all.map(e => getComputedStyle(e).borderTopWidth)"
        )

    assert styles
    assert {"2px"} == set(styles)


async def test_the_policy_reports_nothing(shown):
    """No page breaks its own content security policy."""
    async with shown.visit() as visit:
        await visit.page.add_init_script(
            "window.broken = [];"
            "addEventListener('securitypolicyviolation', e => window.broken.push(e.violatedDirective))"
        )
        await visit.sign_in("marie")
        broken = []
        for path in ("/feed", "/write", "/me", "/notices"):
            await visit.open(path)
            broken += await visit.page.evaluate("window.broken")

    assert [] == broken


async def test_nothing_is_kept_in_the_browser_but_cookies(shown):
    """Neither localStorage nor sessionStorage nor a database holds anything; a stranger's browser has no worker either."""
    async with shown.visit() as visit:
        await visit.open("/")
        workers = [await visit.page.evaluate(WORKERS)]
        await visit.sign_in("marie")
        await visit.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        kept = await visit.page.evaluate("[localStorage.length, sessionStorage.length]")
        databases = await visit.page.evaluate("indexedDB.databases()")
        workers.append(await visit.page.evaluate(WORKERS))
        await visit.page.click("text=Sign out")
        await visit.page.wait_for_load_state()
        workers.append(await visit.page.evaluate(WORKERS))

    assert ([0, 0], []) == (kept, databases)
    assert [[], [f"{shown.origin}/worker.js"], []] == workers
