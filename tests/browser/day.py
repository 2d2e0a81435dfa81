"""A doctor's day, step by step: what each of two colleagues does on the pages of her instance, and what she must see.

With ESANUM_GUIDE=<folder> the walk leaves the pictures of the user's guide there (`python -m tests.tools.guide`).
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from instance.rendering import Phrases
from tests.browser.story import PATIENCE, Doctor, chooses
from verification import clinical

CHOSEN: Final = {"ageBand": "30-39", "sex": "female", "setting": "emergency", "question": "diagnosis"}
#: What stands for the addresses of this machine in pictures.
_ADDRESSES: Final = """() => document.querySelectorAll('.handle').forEach(
  e => { e.textContent = e.textContent.replace(/(de|fr)\\.localhost:\\d+/, '$1.esanum.example') })"""
#: Pictures are this wide: what a page of documentation shows of a phone.
_WIDE: Final = 480


@dataclass(frozen=True, slots=True)
class Said:
    """What is written on this day, in one language; all of it made up."""

    title: str
    text: str
    history: str
    options: str
    diagnosis: str
    outcome: str
    answer: str
    reply: str
    better: str
    home: str
    question: str
    asks: str
    #: A word of the case and of what stays at home.
    word: str


SAID: Final = {
    "en": Said(
        title="Palpitations on the night shift: how far to investigate?",
        text="A colleague describes sudden palpitations for three weeks.\n\n- ECG at rest normal\n- TSH pending\n\nWhat next?",
        history="No earlier illness known", options="Atrial flutter\nAVNRT\nHyperthyroidism",
        diagnosis="Hyperthyroidism", outcome="Free of symptoms eight weeks after treatment began.",
        answer="The thyroid first, then an event recorder.", reply="Thank you. TSH is on its way.",
        better="Palpitations on the night shift: TSH suppressed", home="Palpitations: rota of our own clinic",
        question="Beta blocker before the scan?", asks="How do you handle this in your clinic?", word="palpitations",
    ),
    "de": Said(
        title="Palpitationen in der Nachtschicht: wie weit abklären?",
        text="Seit drei Wochen anfallsartiges Herzrasen.\n\n- Ruhe-EKG normal\n- TSH ausstehend\n\nWas als Nächstes?",
        history="Keine Vorerkrankungen bekannt", options="Vorhofflattern\nAVNRT\nHyperthyreose",
        diagnosis="Hyperthyreose", outcome="Acht Wochen nach Beginn der Behandlung beschwerdefrei.",
        answer="Zuerst die Schilddrüse, dann ein Ereignisrekorder.", reply="Danke, TSH ist unterwegs.",
        better="Palpitationen in der Nachtschicht: TSH supprimiert", home="Palpitationen: Dienstplan unserer Klinik",
        question="Betablocker vor der Szintigrafie?", asks="Wie halten Sie es in Ihrer Klinik?", word="palpitationen",
    ),
    "fr": Said(
        title="Palpitations en garde de nuit : jusqu’où explorer ?",
        text="Depuis trois semaines, accès de tachycardie.\n\n- ECG de repos normal\n- TSH en attente\n\nEt ensuite ?",
        history="Aucun antécédent connu", options="Flutter auriculaire\nAVNRT\nHyperthyroïdie",
        diagnosis="Hyperthyroïdie", outcome="Asymptomatique huit semaines après le début du traitement.",
        answer="D’abord la thyroïde, puis un enregistreur d’événements.", reply="Merci, la TSH est en route.",
        better="Palpitations en garde de nuit : TSH effondrée", home="Palpitations : planning de notre service",
        question="Bêtabloquant avant la scintigraphie ?", asks="Comment faites-vous dans votre service ?",
        word="palpitations",
    ),
}  # fmt: skip


def said(who: Doctor) -> Said:
    """What is written in this doctor's language."""
    return SAID[who.words.language]


async def picture(who: Doctor, name: str, at: str = "") -> None:
    """Leave the picture of this name for the guide, where it is wanted: the window, from this element on."""
    folder, shown = os.environ.get("ESANUM_GUIDE"), who.page.viewport_size
    if not folder or shown is None or shown["width"] > 400:
        return
    if at:
        await who.page.locator(at).first.evaluate("e => scrollTo({top: e.getBoundingClientRect().top + scrollY - 12})")
    else:
        await who.page.evaluate("scrollTo(0, 0)")
    await who.page.evaluate(_ADDRESSES)
    taken = Image.open(io.BytesIO(await who.page.screenshot(animations="disabled"))).convert("RGB")
    small = taken.resize((_WIDE, round(taken.height * _WIDE / taken.width)), Image.Resampling.LANCZOS)
    few = small.quantize(48, dither=Image.Dither.NONE)
    few.save(Path(folder, f"{who.words.language}-{name}.png"), optimize=True)


# ── finding and following ──


async def asks_to_be_asked(anna: Doctor) -> None:
    """Anna wants to say yes before somebody follows her."""
    await anna.press_to(".bar a[href='/me']", "/me$")
    await anna.press_to("main a[href='/me/profile']", "/me/profile$")
    await anna.tick("approves_followers", "1")
    await anna.press_to("form[action='/me/profile'] .button", "/doctors/|/me")


async def finds_and_follows(claire: Doctor, anna: Doctor) -> None:
    """Found by specialty and country, among nobody else; asked, told, accepted: both see it."""
    await claire.press_to(".bar a[href='/search']", "/search$")
    await claire.press_to("main a[href='/colleagues']", "/colleagues$")
    await claire.select("#specialty", claire.words.specialty("cardiology"))
    await claire.select("#country", claire.words.country(anna.country.code))
    await claire.press_to("main form.search button", "specialty=cardiology")
    found = await claire.see("found")
    await picture(claire, "colleagues", "h1")
    others = [entry[1] for entry in (*anna.country.people, *claire.country.people) if entry[3] != "cardiology"]

    assert anna.name in found
    assert claire.role_line(anna) in found
    assert claire.text("mark.verified") in found
    assert not [name for name in others if name in found]

    await claire.press_to(".person a.name", "/doctors/", anna.name)
    await claire.see("profile")
    await claire.press_to("main .profile form[action$='/follow'] button", "/doctors/")
    assert claire.text("follow.pending") in await claire.see("asked-to-follow")
    await anna.until("/notices", claire.name)
    await anna.see("request")
    await anna.press_to("main form[action$='/accept'] button", "/notices")
    await claire.until("/notices", claire.text("notice.follow_accepted"))
    assert anna.name in await claire.see("accepted")
    await anna.until("/colleagues/followers", claire.name)


# ── a case ──


async def publishes(anna: Doctor) -> tuple[str, str]:
    """A case with its summary and a vote, for all; and something that stays at home. Return where both are."""
    words = said(anna)
    await anna.press_to(".bar a[href='/write']", "/write$")
    await anna.pick("kind", "case")
    await anna.write("#title", words.title)
    await anna.write("#text", words.text)
    await anna.press(".guided > summary")
    for field, code in CHOSEN.items():
        await anna.select(f"#case_{field}", clinical.name(field, code, anna.words.language))
    await anna.write("#case_text_history", words.history)
    await anna.write("#poll_options", words.options)
    here = await _sends(anna, "federation")
    assert anna.text("poll.heading") in await anna.see("published")

    await anna.press_to(".bar a[href='/write']", "/write$")
    await anna.pick("kind", "observation")
    await anna.write("#title", words.home)
    await anna.write("#text", words.reply)
    home = await _sends(anna, "national")
    assert Phrases(anna.words).audience_line("national", anna.country.code) in await anna.see("at-home")
    return here, home


async def _sends(who: Doctor, audience: str) -> str:
    await who.select("#specialty-1", who.words.specialty("cardiology"))
    await who.select("#language", who.words.language_name(who.words.language))
    await who.pick("audience", audience)
    await who.press_to("main form.card .actions:last-child button", "/posts/")
    return re.sub("[?#].*", "", who.page.url.removeprefix(who.origin))


async def reads(claire: Doctor, anna: Doctor, home: str) -> str:
    """In her feed by filter, said who speaks and who reads; what stays in Germany is nowhere. Return where it is."""
    words = said(claire)
    await claire.until("/feed", words.title)
    await claire.open("/feed")
    feed = await claire.see("feed")
    await picture(claire, "feed")
    assert words.home not in feed
    for kind, there in (("question", False), ("case", True)):
        await claire.press(".filters summary")
        await claire.select(".filters #kind", Phrases(claire.words).kind(kind))
        await claire.select(".filters #country", claire.words.country(anna.country.code))
        await claire.press_to(".filters form button", f"kind={kind}")
        assert there is (words.title in await claire.see(f"filtered-{kind}"))
    await claire.open(home)
    refused = await claire.see("refused")
    assert claire.text("error.not_found") in refused
    assert words.home not in refused
    await claire.open("/feed")
    await claire.press_to(".card-title a", "/posts/", words.title)
    case = await claire.see("case")
    await picture(claire, "case")
    told = (anna.name, claire.text("mark.verified"), claire.role_line(anna), claire.text("audience.federation"))
    facts = [clinical.name(field, code, claire.words.language) for field, code in CHOSEN.items()]
    assert not [each for each in (*told, *facts, words.history) if each not in case]
    return re.sub("[?#].*", "", claire.page.url.removeprefix(claire.origin))


async def votes_and_answers(claire: Doctor, there: str) -> None:
    """No number before her vote, her choice after it; her answer stands in the thread."""
    assert 0 == await claire.page.locator(".results").count()
    await chooses(claire, 2)
    await claire.press_to("form[action$='/vote'] button", "/posts/")
    assert claire.text("poll.yours") in await claire.see("voted")
    await picture(claire, "vote", "#poll")
    await claire.write("#text", said(claire).answer)
    await claire.press_to("form[action$='/answers'] button", there)
    assert said(claire).answer in await claire.see("answered")


async def hears_and_replies(anna: Doctor, claire: Doctor) -> None:
    """The author is told, finds the answer marked as new, and replies under it."""
    await anna.until("/notices", anna.text("notice.answer"))
    await anna.see("notice")
    await anna.press_to(".notice-link", "/posts/|/comments/", said(anna).title)
    thread = await anna.see("thread")
    assert said(anna).answer in thread
    assert anna.role_line(claire) in thread
    assert anna.words.count("post.fresh", 1) in thread
    await anna.press(".reply summary")
    await anna.write(".reply textarea", said(anna).reply)
    await anna.press_to(".reply form button", "/posts/")
    assert anna.text("post.answers_to", name=claire.name) in await anna.see("replied")


async def edits_and_solves(anna: Doctor, claire: Doctor, here: str, there: str) -> None:
    """A new title with the old one in the history on both sides; then the end, told to whoever took part."""
    words = said(anna)
    await anna.open(here)
    await anna.press_to("a[href$='/edit']", "/edit$")
    await anna.write("#title", words.better)
    await anna.press_to("main form.card .actions:last-child button", here)
    await claire.until(there, words.better)
    for who in (anna, claire):
        await who.press_to("a[href$='/history']", "/history$")
        history = await who.see("history")
        assert history.index(words.title) < history.index(who.text("history.now"))
    await anna.open(here)
    await anna.press_to("a[href$='/resolution']", "/resolution$")
    await anna.write("#diagnosis", words.diagnosis)
    await anna.write("#outcome", words.outcome)
    await anna.hand.tick(anna.page.locator("input[name=thanked]").first)
    await anna.press_to("form[action$='/resolution'] button", "/posts/")
    assert anna.text("end.solved") in await anna.see("solved")
    await claire.until(there, words.outcome)
    assert claire.text("end.heading") in await claire.see("end")
    await claire.until("/notices", claire.text("notice.resolved"))
    await claire.see("notice-end")
    await picture(claire, "notices")


# ── a question, the search, a report, the end ──


async def asks_colleagues(claire: Doctor, anna: Doctor) -> None:
    """A question to cardiologists in Germany is among Anna's open questions, and she is told that she is asked."""
    words = said(claire)
    await claire.press_to(".bar a[href='/write']", "/write$")
    await claire.pick("kind", "question")
    await claire.write("#title", words.question)
    await claire.write("#text", words.asks)
    await picture(claire, "question")
    await claire.select("#asked_country", f"{claire.text('asked.country')} {claire.words.country(anna.country.code)}")
    await _sends(claire, "federation")
    assert "#doctoctoc" in await claire.see("question")
    await anna.until("/feed?tab=questions", words.question)
    assert words.title not in await anna.see("open-questions")
    await anna.until("/notices", anna.text("notice.asked"))
    assert words.question in await anna.see("asked")


async def searches(claire: Doctor) -> None:
    """A word finds the case and not what stayed in Germany, though it holds the word too."""
    words = said(claire)
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            await claire.press_to(".bar a[href='/search']", "/search$")
            await claire.write("#q", words.word)
            await claire.press_to("main form.search .actions button", r"/search\?s=")
            if words.better in await claire.reads():
                break
    found = await claire.see("search")
    await picture(claire, "search", "form.search")
    assert words.home not in found


async def reports(claire: Doctor, there: str) -> None:
    """An answer is reported with a reason from the list; it is said that it arrived."""
    await claire.open(there)
    await claire.press_to(".answer a[href^='/comments/'][href$='/report']", "/report$")
    await claire.see("report")
    await claire.hand.tick(claire.page.locator("input[name=reason]").first)
    await claire.press_to("main form.card button", "/report")
    assert claire.text("reported.title") in await claire.see("reported")


async def withdraws(anna: Doctor, claire: Doctor, here: str, there: str) -> None:
    """Asked once more, then gone on both sides: from the feed, the page, the notices and the search."""
    words = said(anna)
    await anna.open(here)
    await anna.press_to("a[href$='/withdraw']", "/withdraw$")
    await anna.see("withdraw")
    await anna.press_to("main form button", "/feed")
    await claire.until("/feed?tab=all", words.better, there=False)
    await claire.open("/search")
    await claire.write("#q", words.word)
    await claire.press_to("main form.search .actions button", r"/search\?s=")
    pages = [await claire.see("search-after")]
    for path in (there, "/notices", "/me/answers"):
        await claire.open(path)
        pages.append(await claire.see(f"after{path.replace('/', '-')[:10]}"))

    assert not [each for each in (words.better, words.title, words.diagnosis, words.reply) if each in "".join(pages)]
    assert claire.text("error.not_found") in pages[1]


async def looks_at_herself(claire: Doctor) -> None:
    """Her own page leads to her settings and her data."""
    await claire.press_to(".bar a[href='/me']", "/me$")
    me = await claire.see("me")
    await picture(claire, "me")
    assert claire.name in me
    assert claire.text("notify.title") in me
