"""On the home screen: the manifest, the worker and the page without a line; and no answer that may be kept on a device."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from instance import assets, i18n
from instance.headers import PAGE_POLICY, WORKER_POLICY
from tests.instance.pages.test_pages import PUBLIC
from tests.network.test_attacks_people import targets

SHEET = assets.assets()["app.css"].body.decode()
#: What every doctor opens; the case is one of the scene.
DOCTORS = (
    *("/feed", "/feed?tab=all", "/write", "/colleagues", "/notices", "/me", "/me/appearance", "/me/sessions"),
    *("/me/password", "/me/security", "/me/profile", "/me/posts", "/me/answers", "/doctors/marie"),
)
MOST_OCTETS = 60_000
#: Words of the scene, and names: none of them is on a page that a device may keep.
CLINICAL = re.compile("Syncop|Marie|Lef|anticoag|IRM|MRT|ECG|notice|csrf", re.IGNORECASE)


async def manifest_of(somebody, **headers: str) -> dict:
    """The manifest as this visitor's browser reads it."""
    return json.loads(await (await somebody.get("/manifest.webmanifest", **headers)).get_data())


# ── the manifest ──


@pytest.mark.parametrize("language", i18n.LANGUAGES)
async def test_the_manifest_speaks_the_readers_language(house, language):
    """Its language, and the ways that the icon offers, by the names of the bar; each leads to a page there is."""
    somebody, marie = house.visitor(), await house.doctor("marie")
    read = await manifest_of(somebody, **{"Accept-Language": language})
    words = i18n.catalogue(language)

    assert (language, "ltr", "standalone", "/", "/feed") == tuple(
        read[key] for key in ("lang", "dir", "display", "scope", "start_url")
    )
    assert [(words.text("nav.write"), "/write"), (words.text("nav.notices"), "/notices")] == [
        (way["name"], way["url"]) for way in read["shortcuts"]
    ]
    assert [200, 200] == [(await marie.get(way["url"])).status_code for way in read["shortcuts"]]


async def test_the_manifest_has_the_colours_of_the_sheet(house):
    """Those of the account's appearance; a colour that the sheet does not have any more is noticed."""
    marie = await house.doctor("marie")
    light = await manifest_of(marie)
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language="", appearance="dark")
    dark = await manifest_of(marie)

    assert (assets.PAPER["light"], assets.THEME["light"]) == (light["background_color"], light["theme_color"])
    assert (assets.PAPER["dark"], assets.THEME["dark"]) == (dark["background_color"], dark["theme_color"])
    for name, colours in (("--card", assets.THEME), ("--paper", assets.PAPER)):
        assert f"{name}: var(--light, {colours['light']}) var(--dark, {colours['dark']});" in SHEET


async def test_a_page_names_its_colours_to_the_browser(house):
    """By the device where nothing was chosen; the chosen one alone where something was."""
    marie = await house.doctor("marie")
    device = re.findall(r'<meta name="theme-color" content="(#\w+)"([^>]*)>', await marie.text("/feed"))
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language="", appearance="dark")
    chosen = re.findall(r'<meta name="theme-color" content="(#\w+)"([^>]*)>', await marie.text("/feed"))

    assert [assets.THEME["light"], assets.THEME["dark"]] == [colour for colour, _ in device]
    assert all(
        f"prefers-color-scheme: {name}" in media for name, (_, media) in zip(("light", "dark"), device, strict=True)
    )
    assert [(assets.THEME["dark"], "")] == chosen


async def test_some_pictures_may_be_cut_by_the_device(house):
    """A maskable picture is there in both sizes, apart from those that may not be cut."""
    icons = (await manifest_of(house.visitor()))["icons"]

    assert {"192x192", "512x512"} == {icon["sizes"] for icon in icons if icon["purpose"] == "maskable"}
    assert {"any", "192x192", "512x512"} == {icon["sizes"] for icon in icons if icon["purpose"] == "any"}


# ── the worker ──


async def test_the_worker_may_keep_one_page_and_what_it_is_drawn_with(house):
    """Named one by one where it is served; its policy lets it ask this instance and nobody else."""
    answer = await (await house.doctor("marie")).get("/worker.js")
    script = await answer.get_data(as_text=True)
    kept = json.loads(re.match(r"const KEPT = (\[.*\]);\n", script)[1])

    assert ["/offline", *(assets.address(name) for name in ("app.css", "icon.svg", "offline.js"))] == kept
    assert ("text/javascript; charset=utf-8", "/") == (
        answer.headers["Content-Type"], answer.headers["Service-Worker-Allowed"],
    )  # fmt: skip
    assert (WORKER_POLICY, "private, no-store") == (
        answer.headers["Content-Security-Policy"], answer.headers["Cache-Control"],
    )  # fmt: skip
    assert script.endswith(assets.assets()["worker.js"].body.decode())


async def test_the_policy_of_pages_names_workers_and_manifest(house):
    """Ours alone; nothing inline."""
    policy = (await house.visitor().get("/")).headers["Content-Security-Policy"]

    assert PAGE_POLICY == policy
    assert {"worker-src 'self'", "manifest-src 'self'", "script-src 'self'"} <= set(policy.split("; "))


def test_the_worker_keeps_nothing_it_was_not_told_to():
    """What could put an answer into a cache stands there once, for the page without a line; forms never pass through it."""
    script = re.sub(r"//.*", "", assets.assets()["worker.js"].body.decode())

    assert 1 == script.count("addAll(")
    assert [] == re.findall(r"\.put\(|\.add\(|navigationPreload|indexedDB|importScripts|POST", script)
    assert 'request.method !== "GET"' in script


async def test_the_worker_changes_with_what_it_keeps(house):
    """In another language, and at another size of text, it is another worker; the twin: else it is the same, byte for byte."""
    marie, leo = await house.doctor("marie"), await house.doctor("leo")
    first, others = await marie.text("/worker.js"), await leo.text("/worker.js")
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language="", appearance="", text_size="125")
    larger = await marie.text("/worker.js")
    await marie.post("/language", language="de", back="/")
    german = await marie.text("/worker.js")

    assert first == others
    assert 3 == len({first, larger, german})


# ── the page without a line ──


@pytest.mark.parametrize("language", i18n.LANGUAGES)
async def test_the_page_without_a_line_holds_nothing(house, language):
    """In the reader's language and look: no name, no content, no count, no form; one way, to the start."""
    marie = await house.doctor("marie")
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language=language, appearance="dark", text_size="125")
    page = await marie.text("/offline")

    assert f'<html lang="{language}" data-appearance="dark" data-text="125">' in page
    assert all(i18n.catalogue(language).text(f"offline.{key}") in page for key in ("title", "text", "kept", "again"))
    assert ["/"] == re.findall(r'<a [^>]*href="([^"]*)"', page)
    assert "<form" not in page
    assert not CLINICAL.search(page)
    drawn_with = {assets.address(name) for name in ("app.css", "icon.svg", "offline.js")}
    assert drawn_with == set(re.findall(r'<(?:link|script) [^>]*(?:href|src)="([^"]*)"', page))


async def test_the_page_without_a_line_is_the_same_for_everybody_who_looks_alike(house):
    """A doctor's, a stranger's: not a byte tells whose device it is on."""
    assert await (await house.doctor("marie")).text("/offline") == await house.visitor().text("/offline")


# ── what a device may keep ──


async def test_no_answer_to_somebody_signed_in_may_be_kept(house):
    """Every address there is, opened and sent: `no-store`, but for files that are the same for everybody."""
    marie = await house.doctor("marie")
    case = re.search(r'href="/posts/(\w+)"', await marie.text("/feed?tab=all"))[1]
    values = {"slug": case, "address": "anna.weber@de.localhost:8002"}
    found = {}
    for path in {*targets("GET", **values), *DOCTORS, *PUBLIC, "/nowhere", "/static/x/app.css"}:
        found["GET", path] = (await marie.get(path)).headers["Cache-Control"]
    for path in targets("POST", **values):
        if "sign" not in path:
            found["POST", path] = (await marie.post(path)).headers["Cache-Control"]

    assert len(found) > 150
    assert {} == {path: said for path, said in found.items() if said != "private, no-store"}
    assert 200 == (await marie.get("/feed")).status_code


async def test_a_file_that_is_everybodys_is_kept_by_its_address(house):
    """The twin: style, script and picture for a year, smaller for whoever can read that; the same bytes for both."""
    marie = await house.doctor("marie")
    for name in ("app.css", "app.js", "icon.svg"):
        plain = await marie.client.get(assets.address(name))
        small = await marie.client.get(assets.address(name), headers={"Accept-Encoding": "gzip, br"})
        never = await marie.client.get(assets.address(name), headers={"Accept-Encoding": "gzip;q=0, br"})

        assert {"public, max-age=31536000, immutable"} == {
            each.headers["Cache-Control"] for each in (plain, small, never)
        }
        assert {"Accept-Encoding"} == {each.headers["Vary"] for each in (plain, small, never)}
        body = await plain.get_data(as_text=False)
        assert body == assets.assets()[name].body == await never.get_data(as_text=False)
        assert "Content-Encoding" not in {*plain.headers.keys(), *never.headers.keys()}
        assert "gzip" == small.headers["Content-Encoding"]
        assert body == gzip.decompress(await small.get_data(as_text=False))


async def test_a_picture_is_sent_as_it_is(house):
    """What is small already is not made larger."""
    answer = await house.visitor().client.get(assets.address("icon-512.png"), headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers


# ── what a page weighs ──


async def test_no_page_of_a_doctor_weighs_more_than_sixty_kilobytes(house):
    """At the first visit, compressed, with style and scripts, the worker and its page; pictures apart."""
    marie = await house.doctor("marie")
    case = re.search(r'href="(/posts/\w+)"', await marie.text("/feed?tab=all"))[1]
    other = [await marie.text(path) for path in ("/worker.js", "/offline", "/manifest.webmanifest")]
    once = sum(len(gzip.compress(text.encode())) for text in other)
    heavy, weighed = {}, {}
    for path in (*DOCTORS, case, f"{case}/report", f"{case}/history"):
        page = await marie.text(path)
        files = set(re.findall(r'(?:href|src)="/static/\w+/([^"]+\.(?:css|js))"', page))
        weight = len(gzip.compress(page.encode())) + once + sum(len(assets.pressed(name) or b"") for name in files)
        weighed[path] = weight
        if weight > MOST_OCTETS or "app.css" not in files:
            heavy[path] = weight

    assert {} == heavy
    assert min(weighed.values()) > 5_000
