"""What a role may do counts abroad too: what a sibling's doctor sends is held to the table and to our own policy."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from federation.vocabulary import Announce, Delete, Follow, Like
from tests.doorway import a_comment, a_create, a_post, an_act, kept, says
from tests.instance.students import administrators, lets, student
from tests.town import Network, Person, Place
from verification.countries import shipped
from verification.overlay import StudentRight

ALL = tuple(StudentRight)


def opened(place: Place, country: str) -> None:
    """Let this country's students do everything, by a file of the operator's own."""
    own = place.node.config.data / "countries"
    own.mkdir(exist_ok=True)
    rights = ", ".join(f'"{right}"' for right in ("read", "follow", "flag", "comment", "like", "edit", "post"))
    text = shipped().joinpath(f"{country}.toml").read_text("utf-8")
    (own / f"{country}.toml").write_text(f"{text}\n[students]\nadmitted = true\nrights = [{rights}]\n", "utf-8")
    place.node.policies.read_files()


def refused(answer: Any) -> tuple[int, str]:
    """The status and the code."""
    return answer.status, orjson.loads(answer.body).get("error", "") if answer.body[:1] == b"{" else ""


@pytest.fixture
async def sophie(town: Network) -> Person:
    """A French student, who may do everything at home."""
    fr = town["fr"]
    await administrators(fr.node)
    await lets(fr.node, *ALL)
    return await (await student(fr.node)).doctor(fr)


async def test_a_siblings_student_does_nothing_where_our_policy_says_nothing(town: Network, sophie: Person) -> None:
    """What her country lets her do is not ours to grant: each act is refused by its code, and leaves no trace."""
    de = town["de"]
    anna = await de.doctor("anna")
    case = f"{de.node.origin}/posts/{await anna.posts('Of Anna')}"
    before = await kept(de)
    answers = [
        await says(sophie, de, activity)
        for activity in (
            a_create(sophie), a_create(sophie, a_comment(sophie, case)), an_act(sophie, Like, object=case),
            an_act(sophie, Follow, object=anna.uri), an_act(sophie, Announce, object=case),
        )
    ]  # fmt: skip

    assert [(403, "role_not_allowed")] * 5 == [refused(answer) for answer in answers]
    assert before == await kept(de)
    assert ["Of Anna"] == await de.titles()


async def test_a_siblings_student_does_what_our_own_file_lets_her(town: Network, sophie: Person) -> None:
    """Exactly that: what the file of the receiving instance names comes in, what it does not stays out."""
    de = town["de"]
    opened(de, "FR")
    anna = await de.doctor("anna")
    case = f"{de.node.origin}/posts/{await anna.posts('Of Anna')}"
    came = [await says(sophie, de, each) for each in (a_create(sophie), a_create(sophie, a_comment(sophie, case)))]
    out = await says(sophie, de, an_act(sophie, Announce, object=case))

    assert [202, 202] == [answer.status for answer in came]
    assert (403, "role_not_allowed") == refused(out)


async def test_what_is_taken_back_needs_no_right(town: Network, sophie: Person) -> None:
    """She wrote while she might; afterwards the withdrawal still counts, and nothing else does."""
    de = town["de"]
    opened(de, "FR")
    post = a_post(sophie)
    first = await says(sophie, de, a_create(sophie, post))
    for file in (de.node.config.data / "countries").iterdir():
        file.unlink()
    de.node.policies.read_files()
    again = await says(sophie, de, a_create(sophie))
    gone = await says(sophie, de, an_act(sophie, Delete, object=post.id))
    await town.settle()

    assert (202, 403, 202) == (first.status, again.status, gone.status)
    assert [] == await de.titles()


async def test_turned_off_at_home_nothing_of_hers_leaves(town: Network, sophie: Person) -> None:
    """What was written and not yet sent when the role was turned off stays at home, though the sibling would take it."""
    fr, de = town["fr"], town["de"]
    opened(de, "FR")
    await sophie.posts("While open")
    await town.settle()
    await sophie.posts("Too late")
    await lets(fr.node)
    await town.settle()

    assert ["While open"] == await de.titles()
    assert ["While open", "Too late"] == await fr.titles()


async def test_the_retired_comment_and_do_not_post(town: Network) -> None:
    """J2.6 abroad: a retired doctor's answer comes in; a post and a recommendation do not."""
    fr, de = town["fr"], town["de"]
    anna, rene = await de.doctor("anna"), await fr.doctor("rene", role="retired")
    case = f"{de.node.origin}/posts/{await anna.posts('Of Anna')}"
    comment = await says(rene, de, a_create(rene, a_comment(rene, case)))
    post = await says(rene, de, a_create(rene))
    recommended = await says(rene, de, an_act(rene, Announce, object=case))

    assert 202 == comment.status
    assert [(403, "role_not_allowed")] * 2 == [refused(post), refused(recommended)]
    assert ["Of Anna"] == await de.titles()


@pytest.mark.parametrize("role", ["specialist", "generalist", "resident"])
async def test_the_others_do_everything(town: Network, role: str) -> None:
    """Their posts, answers, thanks, follows and recommendations come in."""
    fr, de = town["fr"], town["de"]
    anna, paul = await de.doctor("anna"), await fr.doctor("paul", role=role)
    case = f"{de.node.origin}/posts/{await anna.posts('Of Anna')}"
    acts = (
        a_create(paul), a_create(paul, a_comment(paul, case)), an_act(paul, Like, object=case),
        an_act(paul, Follow, object=anna.uri), an_act(paul, Announce, object=case),
    )  # fmt: skip

    assert [202] * 5 == [(await says(paul, de, each)).status for each in acts]
