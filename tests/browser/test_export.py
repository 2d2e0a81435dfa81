"""The own data as a file, taken in a browser without scripts of its own, and the page in it, which stands alone."""

from __future__ import annotations

import re
from zipfile import ZipFile

import pytest

from tests.browser.test_accessibility import CUT

_PAGE = re.compile("/me/export$")


async def taken(visit, folder):
    """Press the button that is reached from the own account; return the page of the file."""
    await visit.open("/me")
    await visit.page.click("main a[href='/me/export']")
    await visit.page.wait_for_url(_PAGE)
    async with visit.page.expect_download() as coming:
        await visit.page.click("main form button")
    download = await coming.value
    assert re.fullmatch(r"esanum-export-\d{4}-\d\d-\d\d\.zip", download.suggested_filename)
    await download.save_as(folder / "file.zip")
    with ZipFile(folder / "file.zip") as packed:
        packed.extractall(folder)
    return folder / "index.html"


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 360), ("de", "dark", 1280), ("fr", "light", 1280)]
)
async def test_the_page_of_the_file_can_be_read_by_everybody(shown, axe, tmp_path, language, scheme, width):
    """It opens from the disk, asks nothing of anybody, and is as wide as the window; no violation of the checker."""
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        await visit.sign_in("marie")
        path = await taken(visit, tmp_path)
        await visit.page.goto(path.as_uri())
        found = await axe.run(visit.page, options={"resultTypes": ["violations"]})
        wide = (await visit.page.evaluate(CUT))["wide"]
        text = await visit.page.inner_text("body")
        spoken = await visit.page.evaluate("document.documentElement.lang")

    assert [] == [f"{rule['id']}: {rule['nodes'][0]['target']}" for rule in found.response["violations"]]
    assert (0, language) == (wide, spoken)
    assert "Quelle anticoagulation" in text
    assert [] == [url for url in visit.foreign if not url.startswith("file:")]
