"""A doctor changes country in a browser: named there, asked here, confirmed with the own name; a colleague sees where."""

from __future__ import annotations

from instance.demo.town import PASSWORD
from instance.services.people import NewDoctor
from tests.browser.steps import IN_EVERY_LANGUAGE, enter
from tests.browser.story import Doctor, Scene
from tests.browser.test_accessibility import check_here

NEW = "claire.neu"


@IN_EVERY_LANGUAGE
async def test_a_doctor_goes_on_in_another_country(scene, axe, language, hand):
    """At 360 px, by finger or by keyboard alone; every step reads well and says what comes next."""
    async with (
        scene.doctor(0, language, hand) as claire,
        scene.doctor(1, language, hand) as there,
        scene.doctor(1, language, hand) as anna,
    ):
        await is_verified_there(scene, claire)
        await enter(anna, anna.login.handle)
        await anna.until(f"/colleagues?q={claire.address}", claire.name)
        await anna.open(f"/doctors/{claire.address}")
        await anna.press_to("main .profile form[action$='/follow'] button", "/doctors/")
        await enter(claire, claire.login.handle)
        await asks_too_early(axe, claire, there)
        await enter(there, NEW)
        await names_the_old_address(axe, claire, there)
        await goes(axe, claire, there)
        await anna.until(f"/doctors/{claire.address}", there.text("doctor.moved"))
        await anna.see("colleague")
        await anna.until("/notices", anna.text("notice.moved"))
        await anna.see("told")


async def is_verified_there(scene: Scene, claire: Doctor) -> None:
    """Germany has verified her anew; how it does that is another story."""
    await scene.town[1].node.people.add_doctor(
        NewDoctor(
            handle=NEW, name=claire.name, role="specialist", country="DE", specialties=("cardiology",),
            languages=(claire.words.language,), password=PASSWORD,
        ),
        by="test",
    )  # fmt: skip


async def asks_too_early(axe, claire: Doctor, there: Doctor) -> None:  # type: ignore[no-untyped-def]
    """What is missing is said first, with the focus on it."""
    await claire.press_to(".bar a[href='/me']", "/me$")
    await claire.press_to("main a[href='/me/move']", "/me/move$")
    assert claire.text("move.ends_text") in await claire.see("move")
    assert [] == await violations(axe, claire)
    await claire.write("#new", f"{NEW}@{there.country.node.authority}")
    await claire.press_to("form[action='/me/move/to'] button", "/me/move/to$")
    assert claire.text("error.move_unclaimed") in await claire.see("too-early")
    assert "mistakes" == await claire.page.evaluate("document.activeElement.id")
    assert [] == await violations(axe, claire)


async def names_the_old_address(axe, claire: Doctor, there: Doctor) -> None:  # type: ignore[no-untyped-def]
    """At the new place she says who she was."""
    await there.open("/me/move")
    await there.write("#old", claire.address)
    await there.press_to("form[action='/me/move/from'] button", "/me/move$")
    assert there.text("done.move_from") in await there.see("named")
    assert [] == await violations(axe, there)


async def goes(axe, claire: Doctor, there: Doctor) -> None:  # type: ignore[no-untyped-def]
    """One last look, a slip, the own name: gone, and signed out."""
    await claire.open("/me/move")
    authority = there.country.node.authority
    await claire.write("#new", f"{NEW}@{authority}")
    await claire.press_to("form[action='/me/move/to'] button", "/me/move/to$")
    assert claire.text("move.final") in await claire.see("last-look")
    assert [] == await violations(axe, claire)
    await claire.write("#handle", "somebody")
    await claire.press_to("form[action='/me/move/leave'] button", "/me/move/leave$")
    assert claire.text("error.other_handle") in await claire.see("slip")
    assert [] == await violations(axe, claire)
    await claire.write("#handle", claire.login.handle)
    await claire.press_to("form[action='/me/move/leave'] button", "/me/move/leave$")
    assert f"@{NEW}@{authority}" in await claire.see("moved")
    assert [] == await violations(axe, claire)
    await claire.open("/feed")
    assert "/sign-in" in claire.page.url


async def violations(axe, who: Doctor) -> list[str]:  # type: ignore[no-untyped-def]
    """What the checker finds on the page that is open."""
    return await check_here(who, axe)
