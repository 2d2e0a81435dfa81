"""Countries' policies at the pages: read by administrators, narrowed by one, opened by two, felt at the next request."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.desk_house import ROLES, Desk, open_desk
from tests.instance.pages.house import OWN_PAGE, Visitor
from tests.tools.docs_parts import page_routes
from verification.countries import Proof
from verification.dossier import Country
from verification.overlay import DegreeAlone, LetStudents, Period, PolicyReason, TakeProof
from verification.standing import Action

FR, DE = Country("FR"), Country("DE")
PAGES = [(rule, method) for rule, methods, _ in page_routes() if rule.startswith("/policy") for method in methods]
SHORTER = "what=validity&period=resident&months=6"
READING = "what=students&right=read"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """France, which vouches for Germany too, at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def asks(visitor: Visitor, country: str, query: str, reason: str = "board_decided", **more: str) -> Any:
    """Preview a change and send its form."""
    page = await visitor.text(f"/policy/{country}/change?{query}")
    fields = dict(re.findall(r'<input type="hidden" name="(seen|change)" value="([^"]*)"', page))
    assert {"seen", "change"} == set(fields), page
    fields["change"] = fields["change"].replace("&#34;", '"')
    return await visitor.post(f"/policy/{country}/change", **{**fields, "reason": reason, **more})


async def confirms(visitor: Visitor, country: str, act: str = "confirm") -> Any:
    """Confirm, or turn down, the proposal that waits."""
    page = await visitor.text(f"/policy/{country}")
    form = re.search(rf'action="/policy/{country}/{act}">(.*?)</form>', page, re.DOTALL)
    assert form is not None, page
    fields = dict(re.findall(r'name="(seen|change)" value="([^"]*)"', form[1]))
    return await visitor.post(f"/policy/{country}/{act}", **fields)


def mistakes(page: str) -> list[str]:
    """The codes on a page that refuses."""
    return re.findall(r"<code>\(([a-z_]+)\)</code>", page)


async def acts(desk: Desk) -> list[str]:
    """What the audit log tells of policies."""
    entries = [row["entry"] for row in await desk.node.store.all("audit.page", after=0, most=500)]
    return [entry for entry in entries if '"act":"country.' in entry]


# ── who reaches the page, and what is on it ──


async def test_administrators_reach_it_and_nobody_else(desk: Desk) -> None:
    """Every route with every role; a stranger is led to the sign-in."""
    wrong = []
    for role in ROLES:
        somebody = await desk.staff(role, role)
        await somebody.get("/me")
        for rule, method in PAGES:
            path = rule.replace("<country>", "FR")
            answer = await (somebody.get(path) if method == "GET" else somebody.post(path))
            if (answer.status_code != 403) != (role == "administrator"):
                wrong.append((role, method, rule, answer.status_code))
    stranger = await desk.house.visitor().client.get("/policy/FR", headers=OWN_PAGE)

    assert 6 == len(PAGES)
    assert [] == wrong
    assert 303 == stranger.status_code


async def test_the_whole_profile_can_be_read(desk: Desk) -> None:
    """Of each country the instance vouches for; another one is not there."""
    ada = await desk.staff("ada", "administrator")
    every, page, other = await ada.text("/policy"), await ada.text("/policy/DE"), await ada.get("/policy/IT")

    assert ("/policy/FR" in every, "/policy/DE" in every, "/policy/IT" in every) == (True, True, False)
    for word in (
        "Landesärztekammern", "802760901234566", "Approbation", "DE.toml", "German", "30 September 2027",
        "Students are not let in", "24 months", "36 months", "60 days after the academic year",
    ):  # fmt: skip
        assert word in page, word
    assert 404 == other.status_code


async def test_a_faulty_file_is_said_loudly(desk: Desk, tmp_path: Path) -> None:
    """With the fault and what was expected; nobody is admitted from there, and nothing can be changed."""
    own = desk.node.config.data / "countries"
    own.mkdir()
    (own / "DE.toml").write_text('country = "DE"\nregulator = 3\n', "utf-8")
    (own / "nowhere.toml").write_text("[[[", "utf-8")
    desk.node.policies.read_files()
    ada = await desk.staff("ada", "administrator")
    every, page = await ada.text("/policy"), await ada.text("/policy/DE")
    changed = await ada.get(f"/policy/DE/change?{SHORTER}")

    assert ("DE.toml" in every, "nowhere.toml" in every) == (True, True)
    assert 'role="alert"' in page
    assert "regulator" in page
    assert (409, ["country_not_admitted"]) == (changed.status_code, mistakes(await text_of(changed)))
    assert "FR.toml" in await ada.text("/policy/FR")


async def test_another_folders_file_is_named_with_its_folder(desk: Desk) -> None:
    """Who reads the page knows which file is meant."""
    own = desk.node.config.data / "countries"
    own.mkdir()
    shipped = (Path(__file__).parents[3] / "verification/data/countries/FR.toml").read_text("utf-8")
    (own / "FR.toml").write_text(shipped.replace("Annuaire Santé", "A made-up register"), "utf-8")
    desk.node.policies.read_files()
    ada = await desk.staff("ada", "administrator")
    page = await ada.text("/policy/FR")

    assert f"{own}/FR.toml" in page
    assert "A made-up register" in page


# ── narrowing: one, at once ──


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        (SHORTER, lambda policy: policy.validity.resident == 6),
        ("what=proof&proof=degree&taken=no", lambda policy: not any("degree" in each for each in policy.accepted.values())),
        ("what=degree_alone&makes=trainee", lambda policy: policy.degree_alone == "trainee"),
    ],
)  # fmt: skip
async def test_one_administrator_narrows_at_once(desk: Desk, query: str, holds: Any) -> None:
    """With a preview, a reason and an entry of the log; undoing it is proposed, and changes nothing yet."""
    ada = await desk.staff("ada", "administrator")
    before = desk.node.policies.effective()[FR]
    answer = await asks(ada, "FR", query, "forgeries_seen")
    page = await ada.text("/policy/FR")
    after = desk.node.policies.effective()[FR]

    assert (303, "/policy/FR") == (answer.status_code, answer.headers["Location"])
    assert "The change is made." in page
    assert (False, True) == (holds(before), holds(after))
    assert ['"act":"country.changed"'] == [re.search(r'"act":"[^"]+"', each)[0] for each in await acts(desk)]  # type: ignore[index]
    assert '"reason":"forgeries_seen"' in (await acts(desk))[0]


async def test_undoing_a_narrowing_takes_two(desk: Desk) -> None:
    """The first proposes and cannot confirm; the second confirms."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "FR", SHORTER)
    await asks(ada, "FR", "what=validity&period=resident&months=12", "change_mistaken")
    own = await ada.text("/policy/FR")
    waiting = (await desk.node.policies.waiting("FR"))[0]
    version = (await desk.node.policies.line("FR")).version
    alone = await ada.post("/policy/FR/confirm", change=waiting.id, seen=str(version))
    still = desk.node.policies.effective()[FR].validity.resident
    done = await confirms(ben, "FR")
    await desk.node.policies.look()

    assert 'action="/policy/FR/confirm"' not in own
    assert (403, ["same_person"]) == (alone.status_code, mistakes(await text_of(alone)))
    assert 6 == still
    assert 303 == done.status_code
    assert 12 == desk.node.policies.effective()[FR].validity.resident
    assert 3 == len(await acts(desk))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("what=validity&period=resident&months=13", "beyond_profile"), ("what=validity&period=resident&months=x", "bad_months"),
        ("what=validity&period=resident&months=0", "beyond_profile"), ("what=validity&period=student&months=1", "beyond_profile"),
        ("what=validity&period=resident&months=12", "nothing_changes"), ("what=proof&proof=none&taken=no", "bad_change"),
        ("what=proof&proof=supporting_login&taken=yes", "beyond_profile"), ("what=nothing", "bad_change"), ("", "bad_change"),
        ("what=students&right=post", "reading_missing"), ("what=students&right=read&right=review", "bad_change"),
        ("what=students", "nothing_changes"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_before_it_is_asked(desk: Desk, query: str, code: str) -> None:
    """No preview, no entry, nothing kept."""
    ada = await desk.staff("ada", "administrator")
    answer = await ada.get(f"/policy/FR/change?{query}")

    assert [code] == mistakes(await text_of(answer))
    assert answer.status_code in (409, 422)
    assert [] == await acts(desk)


async def test_a_form_made_by_hand_goes_no_further(desk: Desk) -> None:
    """Without a reason, beyond the profile, on an old version, or about nothing: refused, and nothing is kept."""
    ada = await desk.staff("ada", "administrator")
    found = []
    for change, more in (
        ('{"what":"validity","name":"resident","months":6}', {"reason": ""}),
        ('{"what":"validity","name":"resident","months":60}', {}),
        ('{"what":"students","rights":["read","review"]}', {}),
        ('{"what":"validity","name":"resident","months":6}', {"seen": "7"}),
        ('{"what":"more"}', {}),
    ):
        await ada.get("/policy/FR")
        answer = await ada.post(
            "/policy/FR/change", **{"change": change, "seen": "0", "reason": "rules_changed", **more}
        )
        found += mistakes(await text_of(answer))

    assert ["policy_reason_missing", "beyond_profile", "beyond_profile", "policy_changed", "bad_change"] == found
    assert [] == await acts(desk)


async def test_a_change_asks_for_a_fresh_factor(desk: Desk) -> None:
    """After five minutes the factor is asked for again, and the same form goes through with it."""
    ada = await desk.staff("ada", "administrator")
    page = await ada.text(f"/policy/FR/change?{SHORTER}")
    desk.move(minutes=6)
    change = '{"what":"validity","name":"resident","months":6}'
    fields = {"seen": "0", "change": change, "reason": "rules_changed"}
    asked = await ada.post("/policy/FR/change", **fields)
    before = await acts(desk)
    done = await ada.post("/policy/FR/change", **fields, factor_code=desk.code("ada"))

    assert "resident" in page.lower()
    assert "factor_code" in await text_of(asked)
    assert [] == before
    assert 303 == done.status_code


# ── opening: two, within seven days ──


async def test_students_are_let_in_by_two(desk: Desk) -> None:
    """Proposed by one, nothing is open; confirmed by another, exactly reading is."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "DE", READING)
    await desk.node.policies.look()
    proposed = desk.node.policies.effective()[DE].students
    listed = await ben.text("/policy")
    await confirms(ben, "DE")
    await desk.node.policies.look()
    open_ = desk.node.policies.effective()[DE].students

    assert (False, frozenset()) == (proposed.admitted, proposed.rights)
    assert "1 proposal waits" in listed
    assert (True, {"read", "follow", "flag"}) == (open_.admitted, set(open_.rights))
    assert not desk.node.policies.effective()[FR].students.admitted


async def test_a_proposal_is_confirmed_within_seven_days_or_not_at_all(desk: Desk) -> None:
    """A second later it waits no longer, and is proposed anew."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "DE", READING)
    waiting = (await desk.node.policies.waiting("DE"))[0]
    desk.move(days=7, seconds=1)
    actor, version = await desk.actor("ben"), (await desk.node.policies.line("DE")).version
    with pytest.raises(Exception, match="no_such_move"):
        await desk.node.policies.confirm("DE", waiting.id, actor, seen=version)
    again = await desk.node.policies.change(
        "DE", waiting.change, PolicyReason.BOARD_DECIDED, await desk.actor("ada"), seen=version
    )

    assert ben is not ada
    assert [] == [each for each in await desk.node.policies.waiting("DE") if each.id == waiting.id]
    assert again is False
    assert ["proposed", "replaced"] == [each.state for each in await desk.node.policies.history("DE")]


async def test_whoever_was_appointed_by_the_first_is_no_second(desk: Desk) -> None:
    """One administrator and the one they have invited are not two pairs of eyes."""
    ada = await desk.staff("ada", "administrator")
    await ada.get("/staff")
    invited = await text_of(await ada.post("/staff/invite", email="eva@chamber.example", role="administrator"))
    link = re.search(r'id="link" value="[^"]*(/invitation/[^"]+)"', invited)
    assert link is not None
    eva = desk.house.visitor()
    await eva.get(link[1])
    await eva.post(link[1], login="eva", password="a-long-enough-passphrase", again="a-long-enough-passphrase")
    from tests.factors import enrol

    await enrol(eva, desk.house.now)
    await asks(ada, "DE", READING)
    answer = await confirms(eva, "DE")

    assert (403, ["same_inviter"]) == (answer.status_code, mistakes(await text_of(answer)))
    assert not desk.node.policies.effective()[DE].students.admitted


async def test_who_has_left_has_proposed_nothing(desk: Desk) -> None:
    """Where the first is no administrator any more, the second alone opens nothing."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "DE", READING)
    await desk.node.staff.end((await desk.actor("ada")).id, by="test", reason="left")
    answer = await confirms(ben, "DE")

    assert (409, ["no_such_move"]) == (answer.status_code, mistakes(await text_of(answer)))
    assert not desk.node.policies.effective()[DE].students.admitted


async def test_a_narrowing_overtakes_what_was_proposed_before(desk: Desk) -> None:
    """What waits about the same thing is confirmed by nobody any more; about another thing it still waits."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "FR", SHORTER)
    await asks(ada, "FR", "what=validity&period=resident&months=12")
    await asks(ada, "FR", READING)
    waiting = await desk.node.policies.waiting("FR")
    await asks(ben, "FR", "what=validity&period=resident&months=3")
    left = await desk.node.policies.waiting("FR")
    version = (await desk.node.policies.line("FR")).version
    answer = await ben.post("/policy/FR/confirm", change=waiting[0].id, seen=str(version))

    assert ["validity.resident", "students"] == [each.change.item for each in waiting]
    assert ["students"] == [each.change.item for each in left]
    assert (409, ["proposal_gone"]) == (answer.status_code, mistakes(await text_of(answer)))


async def test_a_proposal_is_turned_down_or_taken_back(desk: Desk) -> None:
    """By either; it waits no longer, and the log says so."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    for who in (ada, ben):
        await asks(ada, "DE", READING)
        await confirms(who, "DE", "withdraw")

    assert [] == await desk.node.policies.waiting("DE")
    assert ["proposed", "withdrawn"] * 2 == [
        re.search(r'"act":"country\.([a-z]+)"', each)[1] for each in await acts(desk)  # type: ignore[index]
    ]  # fmt: skip


async def test_the_same_is_not_proposed_twice(desk: Desk) -> None:
    """It waits already; who wants it too confirms it."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "DE", READING)
    answer = await asks(ben, "DE", READING)

    assert (409, ["proposed_already"]) == (answer.status_code, mistakes(await text_of(answer)))
    assert 1 == len(await desk.node.policies.waiting("DE"))


async def test_the_log_holds_and_names_nobody(desk: Desk) -> None:
    """Entries are ids and codes, and the whole chain is recomputed."""
    from instance.services.dossiers import checking

    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await asks(ada, "DE", READING)
    await confirms(ben, "DE")
    entries = await acts(desk)

    assert 2 == len(entries)
    assert not re.search(r"ada|ben|chamber|FR|DE", "".join(entries))
    assert None is (await checking.recompute(desk.node.store))[1]


async def test_an_overlay_nobody_can_read_closes_the_country(desk: Desk) -> None:
    """Nobody is admitted from there, the page says so, and other countries stay open."""
    ada = await desk.staff("ada", "administrator")

    async def spoil(tx: Any) -> None:
        await tx.run("policies.put", country="DE", overlay='{"unheard":1}', version=3, now=0)
        await tx.run("policies.raise_version")

    await desk.node.store.write(spoil)
    page = await ada.text("/policy/DE")

    assert "cannot be read" in page
    assert [FR] == [country for country in desk.node.policies.effective() if country in (FR, DE)]
    with pytest.raises(Exception, match="country_not_admitted"):
        desk.node.dossiers.policy("DE")


async def test_a_preview_counts_whom_it_touches(desk: Desk) -> None:
    """Applications that are not decided, by role and by what they show; nothing is changed by looking."""
    await desk.applicant()
    await desk.applicant("second", role="resident")
    actor = await desk.staff("ada", "administrator")
    counts = {}
    for name, change in (
        ("resident", Period(name="resident", months=6)), ("licence", TakeProof(proof=Proof.LICENCE, taken=False)),
        ("degree", DegreeAlone(makes="trainee")), ("students", LetStudents(rights=frozenset({Action.READ}))),
    ):  # fmt: skip
        found = await desk.node.policies.preview("FR", change)
        counts[name] = (found.touched.applications, found.touched.doctors, found.widens)
    page = await actor.text("/policy/FR/change?what=proof&proof=licence&taken=no")

    assert {
        "resident": (1, 0, False), "licence": (2, 0, False), "degree": (0, 0, False), "students": (0, 0, True),
    } == counts  # fmt: skip
    assert re.search(r"Applications it touches</dt><dd>2</dd>", page)
    assert [] == await acts(desk)
