"""The pages of second factors, without scripts: what is asked, what is refused, what is never lost."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from instance.app import make_app
from instance.routes import guard
from tests.factors import code, device_of, enrol
from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.factors import appointed, half
from tests.instance.pages.house import OWN_PAGE
from tests.instance.pages.rows import PASSWORD
from tests.tools.docs_parts import page_routes
from tests.town import rows

# ── enrolling and signing in ──


async def test_an_app_is_added_and_asked_for_without_scripts(house):
    """Picture, secret as text, first code, ten recovery codes; at the next sign-in a code, then on where one was going."""
    marie = await house.doctor("marie")
    await marie.get("/me/security")
    await marie.post("/me/security/app")
    shown = await marie.text("/me/security/app")
    secret = re.search(r'class="secret"><code>([A-Z2-7 ]+)<', shown)[1]
    wrong = await marie.post("/me/security/app/confirm", code="000000")
    done = await text_of(await marie.post("/me/security/app/confirm", code=code(secret, house.now)))
    house.now += timedelta(minutes=1)
    again = await half(house)
    answer = await again.post("/sign-in/second", factor_code=code(secret, house.now), next="/notices")

    assert "<svg" in shown
    assert 422 == wrong.status_code
    assert 10 == len(set(re.findall(r"<li><code>([a-z0-9-]{19})</code>", done)))
    assert (303, "/notices") == (answer.status_code, answer.headers["Location"])
    assert 200 == (await again.get("/notices")).status_code


async def test_the_picture_holds_what_the_text_says(house):
    """Secret, name and instance: what an app reads from the address."""
    from instance.services import code_apps

    address = code_apps.address(b"12345678901234567890", "marie", "esanum France")

    assert address.startswith("otpauth://totp/esanum%20France:marie?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    assert "issuer=esanum%20France" in address
    assert "style=" not in code_apps.picture(address)


async def test_half_a_session_reads_nothing(house):
    """Every address but the open ones leads to the second step; programs are told."""
    await enrol(await house.doctor("marie"), house.now)
    somebody = await half(house)
    closed = [
        rule for rule, methods, access in page_routes() if "GET" in methods and access not in ("public", "second step")
    ]
    asked = {rule: await somebody.get(re.sub(r"<[^>]+>", "x", rule)) for rule in closed}
    json = await somebody.client.get("/me", headers={"Accept": "application/json"})

    assert len(asked) > 15
    assert {303} == {answer.status_code for answer in asked.values()}
    assert {"/sign-in/second"} == {answer.headers["Location"].partition("?")[0] for answer in asked.values()}
    assert (401, "factor_owed") == (json.status_code, (await json.get_json())["error"])
    assert "marie" not in await somebody.text("/sign-in/second")


async def test_half_a_session_sends_no_form(house):
    """With its own token: nothing is written, nothing changed."""
    await enrol(await house.doctor("marie"), house.now)
    somebody = await half(house)
    before = [tuple(row) for row in await rows(house.node, "select * from accounts")]
    answers = {}
    for path in ("/me/preferences", "/me/password", "/me/security/app", "/me/security/codes", "/write", "/staff/end"):
        answers[path] = (await somebody.post(path, language="de", title="T", password=PASSWORD)).status_code

    assert {303, 401} >= set(answers.values())
    assert before == [tuple(row) for row in await rows(house.node, "select * from accounts")]
    assert [] == await rows(house.node, "select * from totp where confirmed_at is null")


async def test_a_form_of_the_second_step_needs_its_token(house):
    """A109 at the new door: without the mark of this half session, or from elsewhere, nothing is taken."""
    secret = await enrol(await house.doctor("marie"), house.now)
    house.now += timedelta(minutes=1)
    somebody = await half(house)
    good, somebody.token = somebody.token, "x"
    stale = await somebody.post("/sign-in/second", factor_code=code(secret, house.now))
    body = urlencode({"csrf": good, "factor_code": code(secret, house.now)})
    headers = OWN_PAGE | {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    foreign = await somebody.client.post("/sign-in/second", headers=headers, data=body)
    somebody.token = good
    taken = await somebody.post("/sign-in/second", factor_code=code(secret, house.now))

    assert (403, 403, 303) == (stale.status_code, foreign.status_code, taken.status_code)


async def test_a_wrong_code_keeps_the_way_on_and_leads_nowhere_else(house):
    """The page says what was wrong, and goes on where one was going; never to another site."""
    secret = await enrol(await house.doctor("marie"), house.now)
    house.now += timedelta(minutes=1)
    somebody = await half(house)
    wrong = await somebody.post("/sign-in/second", factor_code="000000", next="/notices")
    answer = await somebody.post("/sign-in/second", factor_code=code(secret, house.now), next="//evil.example")

    assert 422 == wrong.status_code
    assert 'name="next" value="/notices"' in await text_of(wrong)
    assert "factor_wrong" in await text_of(wrong)
    assert (303, "/feed") == (answer.status_code, answer.headers["Location"])


async def test_too_many_codes_are_told_when_to_come_back(house):
    """429 with Retry-After, as at the password."""
    await enrol(await house.doctor("marie"), house.now)
    somebody = await half(house)
    for _ in range(5):
        await somebody.post("/sign-in/second", factor_code="000000")
    answer = await somebody.post("/sign-in/second", factor_code="000000")

    assert (429, "900") == (answer.status_code, answer.headers["Retry-After"])


async def test_a_passkey_is_added_and_shown_through_the_forms(house):
    """What the script puts into the fields is all there is to it; the label is shown as text."""
    marie, device = await house.doctor("marie"), device_of(house.node)
    options = html.unescape(re.search(r'data-options="([^"]+)"', await marie.text("/me/security"))[1])
    done = await marie.post("/me/security/passkeys", credential=device.make(options), label="<b>Phone</b>")
    listed = await marie.text("/me/security")
    somebody = await half(house)
    page = await somebody.text("/sign-in/second")
    asked = html.unescape(re.search(r'data-options="([^"]+)"', page)[1])
    answer = await somebody.post("/sign-in/second", factor_credential=device.show(asked))

    assert 200 == done.status_code
    assert "&lt;b&gt;Phone&lt;/b&gt;" in listed
    assert (303, "/feed") == (answer.status_code, answer.headers["Location"])


async def test_a_new_password_asks_for_the_second_step_again(house):
    """Every session has ended; the password alone begins none."""
    marie = await house.doctor("marie")
    await enrol(marie, house.now)
    await marie.get("/me")
    words = "three quiet rivers meet"
    answer = await marie.post("/me/password", old_password=PASSWORD, password=words, again=words)

    assert (303, "/sign-in/second?next=/me%3Fsaved%3Dpassword") == (answer.status_code, answer.headers["Location"])


async def test_signing_in_again_in_half_a_session_is_possible(house):
    """The sign-in leads on to the step that is missing; cancelling ends the half session."""
    await enrol(await house.doctor("marie"), house.now)
    somebody = await half(house)
    led = await somebody.get("/sign-in")
    out = await somebody.post("/sign-out")

    assert (303, "/sign-in/second?next=/feed") == (led.status_code, led.headers["Location"])
    assert 303 == out.status_code
    assert (303, "/sign-in") == (
        (await somebody.get("/sign-in/second")).status_code, (await somebody.get("/sign-in/second")).headers["Location"]
    )  # fmt: skip


# ── a factor asked for again ──


async def test_what_was_written_survives_the_asking(house):
    """Six minutes later the form comes back on a page that asks for a factor, and is carried out with it, once."""
    ada, secret = await appointed(house)
    await ada.get("/staff")
    house.now += timedelta(minutes=6)
    form = {"email": "rita@chamber.example", "role": ["reviewer", "lead"], "country": "FR", "sites": "a <b> c"}
    asked = await ada.post("/staff/invite", **form)
    page = await text_of(asked)
    kept = [
        (name, html.unescape(value)) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    ]
    mine = [(name, value) for name, value in kept if name not in ("csrf", "back", "factor_credential")]
    wrong = await ada.post("/staff/invite", **form, factor_code="000000")
    before = await rows(house.node, "select id from invitations where used_at is null")
    form["sites"] = "chu-lyon"
    done = await ada.post("/staff/invite", **form, factor_code=code(secret, house.now))

    assert (403, 403, 200) == (asked.status_code, wrong.status_code, done.status_code)
    assert [
        ("email", "rita@chamber.example"),
        ("role", "reviewer"),
        ("role", "lead"),
        ("country", "FR"),
        ("sites", "a <b> c"),
    ] == mine
    assert "000000" not in await text_of(wrong)
    assert "factor_wrong" in await text_of(wrong)
    assert [] == before
    assert "/invitation/" in await text_of(done)
    house.now += timedelta(minutes=4)
    assert 200 == (await ada.post("/staff/invite", **form)).status_code


async def test_a_program_is_told_that_the_factor_is_stale(house):
    """403 and the code, no page."""
    ada, _ = await appointed(house)
    house.now += timedelta(minutes=6)
    headers = OWN_PAGE | {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    await ada.get("/staff")
    answer = await ada.client.post("/staff/invite", headers=headers, data=urlencode({"csrf": ada.token}))

    assert (403, {"error": "factor_stale"}) == (answer.status_code, await answer.get_json())


async def test_a_doctor_without_a_factor_shows_the_password(house):
    """Adding the first one in an old session asks for the password; another session's is not good enough."""
    marie = await house.doctor("marie")
    house.now += timedelta(minutes=6)
    await marie.get("/me/security")
    asked = await marie.post("/me/security/app")
    wrong = await marie.post("/me/security/app", factor_password="not the password")
    done = await marie.post("/me/security/app", factor_password=PASSWORD)

    assert (403, 403, 303) == (asked.status_code, wrong.status_code, done.status_code)
    assert 'name="factor_password"' in await text_of(asked)
    assert "not the password" not in await text_of(wrong)
    assert 200 == (await marie.get("/me/security/app")).status_code


async def test_a_page_can_ask_too(house):
    """A page that needs a fresh factor is led back to once it was shown."""
    house.app = make_app(house.node)

    async def shown(_actor: Any) -> str:
        return "the decision"

    house.app.add_url_rule("/decision", "decision", guard.staff_required()(guard.fresh_factor(shown)))
    ada, secret = await appointed(house)
    first = await ada.text("/decision?of=x")
    house.now += timedelta(minutes=6)
    asked = await ada.get("/decision?of=x")
    led = await ada.post("/me/confirm", next="/decision?of=x", factor_code=code(secret, house.now))

    assert "the decision" == first
    assert (403, True) == (asked.status_code, 'action="/me/confirm"' in await text_of(asked))
    assert (303, "/decision?of=x") == (led.status_code, led.headers["Location"])
    assert "the decision" == await ada.text("/decision?of=x")


# ── the password alone, and what is never kept ──


async def test_an_enrolment_link_leads_through_the_sign_in(house):
    """The link, the password, one button; without it the page offers no way to add a factor."""
    node = house.node
    await (await house.doctor("staff")).get("/me")
    link = (await node.factors.reset("staff", by="test", reason="lost")).removeprefix(node.origin)
    somebody = house.visitor()
    first = await somebody.get(link)
    answer = await somebody.post("/sign-in", login="staff", password=PASSWORD, next=link)
    bare = await somebody.text("/me/security")
    closed = await somebody.post("/me/security/app")
    page = await somebody.text(link)
    wrong = await somebody.post("/me/security/enrol", enrolment="x")
    done = await somebody.post("/me/security/enrol", enrolment=node.origin + link)
    offered = await somebody.text("/me/security")

    assert (303, f"/sign-in?next={link}") == (first.status_code, first.headers["Location"])
    assert (303, link) == (answer.status_code, answer.headers["Location"])
    assert 'action="/me/security/app"' not in bare
    assert (403, 422, 303) == (closed.status_code, wrong.status_code, done.status_code)
    assert f'value="{link.rpartition("/")[2]}"' in page
    assert "enrolment-wrong" in await text_of(wrong)
    assert ('action="/me/security/app"' in offered, 'name="enrolment"' in offered) == (True, False)


async def test_a_waiting_secret_is_shown_after_a_factor(house):
    """Where there is one: six minutes later the page asks again, and shows nothing."""
    marie = await house.doctor("marie")
    await enrol(marie, house.now)
    await marie.get("/me/security")
    await marie.post("/me/security/app")
    fresh = await marie.get("/me/security/app")
    house.now += timedelta(minutes=6)
    stale = await marie.get("/me/security/app")

    assert (200, 403) == (fresh.status_code, stale.status_code)
    assert ('class="secret"' in await text_of(fresh), 'class="secret"' in await text_of(stale)) == (True, False)


async def test_a_new_password_asks_for_a_factor_and_is_never_kept(house):
    """Stale: no page holds what was typed; the factor first, then the form again."""
    marie = await house.doctor("marie")
    secret = await enrol(marie, house.now)
    house.now += timedelta(minutes=6)
    await marie.get("/me")
    typed = {"old_password": PASSWORD, "password": "a new long sentence", "again": "a new long sentence"}
    stale = await marie.post("/me/password", **typed)
    asked = await marie.get("/me/password")
    shown = await marie.post("/me/confirm", next="/me/password", factor_code=code(secret, house.now))
    led = await marie.get("/me/password")
    await marie.get("/me")
    done = await marie.post("/me/password", **typed)

    assert (303, "/me/password") == (stale.status_code, stale.headers["Location"])
    assert (403, 303, 200) == (asked.status_code, shown.status_code, led.status_code)
    assert 'name="old_password"' in await text_of(led)
    assert (303, "/sign-in/second?next=/me%3Fsaved%3Dpassword") == (done.status_code, done.headers["Location"])


async def test_the_page_that_asks_again_keeps_no_password(house):
    """Of whatever form: the other fields are kept."""
    ada, _ = await appointed(house)
    house.now += timedelta(minutes=6)
    await ada.get("/staff")
    answer = await ada.post("/staff/invite", email="r@chamber.example", old_password="hunter2", again="hunter2")
    page = await text_of(answer)

    assert 403 == answer.status_code
    assert ("r@chamber.example" in page, "hunter2" in page) == (True, False)
