"""The schedule, the table of answers, and what a courier does at send time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from federation import signatures
from federation.allowlist import Allowlist, LocalPolicy
from federation.courier import Courier, Dropped, Held
from federation.delivery import (
    ANSWERS,
    BACK_OFF,
    DeadRow,
    Done,
    Knock,
    LaneLater,
    Meaning,
    Moved,
    Priority,
    RowLater,
    judge,
    meaning,
    next_try,
)
from federation.keys import PrivateKey, make_ed25519, make_rsa
from federation.ports import Answer, Delivery
from federation.signatures import Profile, SignedMessage
from federation.uri import Uri
from tests.federation.servers import NOON, allow, sibling

DE = "https://de.example"
ANNA = Uri.parse("https://fr.example/doctors/anna")
HOME = Uri.parse("https://fr.example/actor")
SHARED = Delivery(
    id="1", origin=DE, inbox=Uri.parse(DE + "/inbox"), shared=True, activity=Uri.parse("https://fr.example/activities/1"),
    signer=ANNA, priority=Priority.REST, attempts=0, created_at=NOON,
)  # fmt: skip
PERSONAL = replace(SHARED, inbox=Uri.parse(DE + "/doctors/bert/inbox"), shared=False)
OLD = replace(SHARED, created_at=NOON - timedelta(days=30))


def _judge(answer: Answer, delivery: Delivery = SHARED, failures: int = 0, **more: Any) -> Any:
    return judge(answer, delivery, NOON, failures, Random(1), **more)


# ── the schedule ──


@pytest.mark.parametrize("seed", range(50))
def test_the_first_retry_comes_within_thirty_seconds(seed: int) -> None:
    """P2: and not at once either."""
    wait = next_try(1, NOON, Random(seed)) - NOON

    assert timedelta(seconds=15) <= wait <= timedelta(seconds=25)


@pytest.mark.parametrize("failures", range(1, 60))
def test_waits_double_and_stay_below_an_hour(failures: int) -> None:
    """P2: each wait is the table's, give or take a quarter; then three quarters of an hour to an hour."""
    for seed in range(30):
        wait = next_try(failures, NOON, Random(seed)) - NOON
        if failures <= len(BACK_OFF):
            middle = timedelta(seconds=20) * 2 ** (failures - 1)

            assert middle * 0.75 <= wait <= middle * 1.25
        else:
            assert timedelta(minutes=45) <= wait <= timedelta(minutes=60)
        assert wait <= timedelta(hours=1)


def test_thirty_days_hold_about_830_tries() -> None:
    """P2: a sibling that stays away is tried hourly to the end, and not much more often."""
    now, tries, rng = NOON, 0, Random(7)
    while now < NOON + timedelta(days=30):
        tries += 1
        now = next_try(tries, now, rng)

    assert 780 < tries < 880


# ── the table of answers ──

TABLE: list[tuple[list[int], str, Meaning]] = [
    ([200, 201, 202, 204], "", Meaning.COMMITTED),
    ([301, 302, 303, 304, 307, 308], "", Meaning.MOVED),
    ([400, 405, 406, 411, 413, 414, 415, 421, 422, 431, 501], "malformed", Meaning.NEVER),
    ([402, 407, 409, 412, 418, 451], "", Meaning.NEVER),
    ([401], "bad_signature", Meaning.KEY_TROUBLE),
    ([403], "not_a_sibling", Meaning.FORBIDDEN),
    ([404, 410], "not_found", Meaning.ABSENT),
    ([408, 425, 429, 502, 503, 504], "", Meaning.BUSY),
    ([500, 505, 507, 599], "", Meaning.FAILING),
    ([0], "deadline", Meaning.NOT_REACHED),
    ([100, 101, 600, 999], "", Meaning.BUSY),
]
ROWS = [(status, code, found) for statuses, code, found in TABLE for status in statuses]


@pytest.mark.parametrize(("status", "code", "expected"), ROWS, ids=[str(row[0]) for row in ROWS])
def test_every_answer_has_its_meaning(status: int, code: str, expected: Meaning) -> None:
    """F17: the table of docs and code, walked."""
    assert expected is meaning(status)


def test_every_line_of_the_table_is_walked() -> None:
    """No line of the table is without a row here."""
    assert {found for _, found in ANSWERS} == {found for _, _, found in ROWS}


@pytest.mark.parametrize("status", range(200, 300))
def test_a_2xx_is_done(status: int) -> None:
    """It is committed there."""
    assert Done() == _judge(Answer(status))


@pytest.mark.parametrize("status", [400, 405, 406, 411, 413, 414, 415, 421, 422, 431, 501])
def test_what_will_never_pass_is_a_dead_letter_at_once(status: int) -> None:
    """The row dies, with the sibling's code or the bare status; the lane goes on."""
    assert DeadRow("malformed") == _judge(Answer(status, "malformed"))
    assert DeadRow(f"http_{status}") == _judge(Answer(status))


def test_a_401_is_answered_by_one_knock_and_then_by_waiting() -> None:
    """The other profile is tried at once; after that the lane waits with an alarm, and the row yields to another."""
    second = _judge(Answer(401, "unknown_key"), repeated=True)

    assert Knock() == _judge(Answer(401, "unknown_key"))
    assert isinstance(second, LaneLater)
    assert ("unknown_key", True) == (second.code, second.alarm)
    assert isinstance(second.row, RowLater)


def test_a_redirect_is_read_once_and_then_waits() -> None:
    """The actor is read anew; where that changes nothing the lane waits with an alarm."""
    second = _judge(Answer(301), repeated=True)

    assert Moved() == _judge(Answer(301))
    assert isinstance(second, LaneLater)
    assert ("http_301", True, None) == (second.code, second.alarm, second.row)


@pytest.mark.parametrize(
    "code", ["not_a_sibling", "sibling_paused", "sibling_blocked", "sibling_read_only", "pin_mismatch", ""]
)
def test_a_403_about_membership_waits_with_an_alarm(code: str) -> None:
    """It concerns every message of the lane."""
    outcome = _judge(Answer(403, code))

    assert isinstance(outcome, LaneLater)
    assert (code or "http_403", True, None) == (outcome.code, outcome.alarm, outcome.row)


@pytest.mark.parametrize("code", ["suspended", "expired", "public_audience", "actor_mismatch", "sibling_of_nobody"])
def test_a_403_about_the_message_is_a_dead_letter(code: str) -> None:
    """It concerns this message alone."""
    assert DeadRow(code) == _judge(Answer(403, code))


@pytest.mark.parametrize("status", [404, 410])
def test_a_doctor_who_is_gone_is_tried_three_times_over_a_day(status: int) -> None:
    """A personal inbox that is not there: now, after 6 hours, after 24; then the letter is dead."""
    answer = Answer(status)

    assert RowLater(NOON + timedelta(hours=6)) == _judge(answer, PERSONAL)
    assert RowLater(NOON + timedelta(hours=18)) == _judge(answer, replace(PERSONAL, attempts=1))
    assert DeadRow("gone") == _judge(answer, replace(PERSONAL, attempts=2))


@pytest.mark.parametrize("status", [404, 410])
def test_a_shared_inbox_that_is_gone_waits_with_an_alarm(status: int) -> None:
    """A sibling does not lose its inbox for good without an administrator."""
    outcome = _judge(Answer(status))

    assert isinstance(outcome, LaneLater)
    assert outcome.alarm


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_a_busy_sibling_says_when(status: int) -> None:
    """Retry-After is honoured, up to an hour; without it the schedule counts. No alarm."""
    said = _judge(Answer(status, retry_after=120), failures=9)
    too_long = _judge(Answer(status, retry_after=86_400))
    silent = _judge(Answer(status))

    assert NOON + timedelta(seconds=120) == said.at
    assert NOON + timedelta(hours=1) == too_long.at
    assert NOON < silent.at <= NOON + timedelta(seconds=25)
    assert (False, None) == (said.alarm, said.row)


def test_an_author_who_cannot_be_asked_for_keeps_back_one_message_alone() -> None:
    """The sibling answers, and about this message: the row rests by its own schedule, no sooner than it was told."""
    away = Answer(503, "author_away", 300)
    first, tenth = _judge(away), _judge(away, replace(SHARED, attempts=9))
    silent = _judge(replace(away, retry_after=None))

    assert RowLater(NOON + timedelta(seconds=300)) == first
    assert NOON + timedelta(minutes=45) <= tenth.at <= NOON + timedelta(hours=1)
    assert isinstance(silent, RowLater)
    assert NOON < silent.at <= NOON + timedelta(seconds=25)
    assert DeadRow("gave_up") == _judge(away, OLD)
    assert isinstance(_judge(replace(away, code="status_unknown")), LaneLater)


def test_a_sibling_that_fails_on_one_message_gets_the_others() -> None:
    """A 500 backs off the lane, and the message that met it yields its place: it may be the cause."""
    outcome = _judge(Answer(500))

    assert isinstance(outcome, LaneLater)
    assert isinstance(outcome.row, RowLater)


@pytest.mark.parametrize(("fault", "alarm"), [("dns", True), ("tls", True), ("address_refused", True),
                                              ("refused", False), ("reset", False), ("deadline", False)])  # fmt: skip
def test_a_sibling_that_is_not_reached_waits(fault: str, alarm: bool) -> None:
    """F13, F19, F20: faults of names and certificates call somebody."""
    outcome = _judge(Answer(0, fault), failures=3)

    assert isinstance(outcome, LaneLater)
    assert (fault, alarm, None) == (outcome.code, outcome.alarm, outcome.row)
    assert NOON + timedelta(seconds=120) <= outcome.at <= NOON + timedelta(seconds=200)


def test_after_thirty_days_a_letter_is_dead_and_an_erasure_is_tried_daily() -> None:
    """F21, P7: nothing but revocations and erasures outlives the thirty days."""
    erasure = replace(OLD, priority=Priority.REVOCATION)

    assert DeadRow("gave_up") == _judge(Answer(0, "refused"), OLD).row
    assert RowLater(NOON + timedelta(days=1)) == _judge(Answer(0, "refused"), erasure).row
    assert _judge(Answer(0, "refused"), replace(OLD, created_at=OLD.created_at + timedelta(seconds=1))).row is None


# ── the courier ──


@dataclass
class Sibling:
    """The other side: keeps what was posted and answers by turns."""

    answers: list[Answer]
    posts: list[tuple[Uri, bytes, dict[str, str]]] = field(default_factory=list)

    async def post(self, url: Uri, body: bytes, headers: dict[str, str]) -> Answer:
        """Take one message."""
        self.posts.append((url, body, headers))
        return self.answers[min(len(self.posts), len(self.answers)) - 1]

    @property
    def profiles(self) -> list[Profile]:
        """How each message was signed."""
        return [Profile.RFC9421 if "Signature-Input" in headers else Profile.CAVAGE for _, _, headers in self.posts]


@pytest.fixture(scope="module")
def keys() -> dict[tuple[Uri, Profile], PrivateKey]:
    """Both keys of a doctor and of the instance."""
    made = {}
    for owner in (ANNA, HOME):
        made[owner, Profile.CAVAGE] = make_rsa(Uri.parse(owner + "#main-key"), owner, 2048)
        made[owner, Profile.RFC9421] = make_ed25519(Uri.parse(owner + "#ed25519-key"), owner)
    return made


@dataclass
class Keys:
    """Our keys."""

    pairs: dict[tuple[Uri, Profile], PrivateKey]

    async def signing_key(self, actor: Uri, profile: Profile) -> PrivateKey:
        """One of them; KeyError is a LookupError."""
        return self.pairs[actor, profile]


class Bodies:
    """The one thing a courier asks of the queue."""

    async def body(self, activity: Uri) -> bytes:
        """Some bytes."""
        return b'{"id":"' + activity.encode() + b'"}'


def _courier(
    there: Any,
    pairs: dict[tuple[Uri, Profile], PrivateKey],
    listed: Callable[[], Allowlist] | None = None,
    *,
    standing: bool = True,
    inbox: Uri | None = None,
    passes: Callable[[Collection[str], str], str] | None = None,
) -> Courier:
    async def may_send(actor: Uri) -> bool:
        return standing

    async def reread(delivery: Delivery) -> Uri | None:
        return inbox

    return Courier(
        listed or allow(sibling(DE)), Keys(pairs), there, Bodies(), may_send, reread, lambda: NOON,
        instance_actor=HOME, rng=Random(1), passes=passes,
    )  # type: ignore[arg-type]  # fmt: skip


Pairs = dict[tuple[Uri, Profile], PrivateKey]


@pytest.mark.parametrize(("speaks", "expected"), [(True, Profile.RFC9421), (False, Profile.CAVAGE)])
async def test_a_message_is_signed_now_in_the_profile_announced(speaks: bool, expected: Profile, keys: Pairs) -> None:
    """FEP-844e: siblings that announce RFC 9421 get it, the others cavage; either verifies at the other end."""
    there = Sibling([Answer(202)])
    courier = _courier(there, keys, allow(sibling(DE, speaks_rfc9421=speaks)))
    verdict, answer = await courier.deliver(SHARED, 0)
    courier.close()
    [(url, body, headers)] = there.posts
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    message = SignedMessage.from_raw("POST", url.origin, url.target, raw).with_body(body)
    claim = signatures.read_claim(message)
    signatures.check_window(claim, message, NOON)
    signatures.check_digest(message, claim)
    proof = signatures.verify(message, claim, keys[ANNA, expected].public(), NOON)

    assert (Done(), Answer(202)) == (verdict, answer)
    assert (ANNA, expected) == (proof.signer, claim.profile)


async def test_a_401_gets_one_knock_and_what_passed_is_remembered(keys: Pairs) -> None:
    """The other profile at once; the next message begins with the one that passed."""
    there = Sibling([Answer(401, "bad_signature"), Answer(202)])
    courier = _courier(there, keys)
    first, _ = await courier.deliver(SHARED, 0)
    second, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert (Done(), Done()) == (first, second)
    assert [Profile.RFC9421, Profile.CAVAGE, Profile.CAVAGE] == there.profiles


async def test_two_401_are_the_end_of_it(keys: Pairs) -> None:
    """There is no third knock."""
    there = Sibling([Answer(401, "bad_signature")])
    courier = _courier(there, keys)
    verdict, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert 2 == len(there.posts)
    assert isinstance(verdict, LaneLater)


async def test_a_redirect_leads_to_the_actor_and_never_to_its_location(keys: Pairs) -> None:
    """3xx: the inbox the actor names now, on the same origin, gets the message at once."""
    new = Uri.parse(DE + "/box")
    there = Sibling([Answer(308), Answer(202)])
    courier = _courier(there, keys, inbox=new)
    verdict, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert Done() == verdict
    assert [SHARED.inbox, new] == [url for url, _, _ in there.posts]


@pytest.mark.parametrize("inbox", [None, SHARED.inbox, Uri.parse("https://evil.example/inbox")])
async def test_a_redirect_without_another_inbox_waits(inbox: Uri | None, keys: Pairs) -> None:
    """Nothing new, or another origin: nothing more is sent."""
    there = Sibling([Answer(308)])
    courier = _courier(there, keys, inbox=inbox)
    verdict, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert 1 == len(there.posts)
    assert isinstance(verdict, LaneLater)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(LocalPolicy.PAUSE, Held("sibling_paused")), (LocalPolicy.READ_ONLY, Held("sibling_read_only")),
     (LocalPolicy.BLOCK, Dropped("sibling_blocked")), (None, Dropped("not_a_sibling"))],
)  # fmt: skip
async def test_the_allowlist_is_asked_when_a_message_is_sent(
    policy: LocalPolicy | None, expected: Held | Dropped, keys: Pairs
) -> None:
    """A62: a change after the row was written counts: held where it may pass one day, dropped where not."""
    there = Sibling([Answer(202)])
    courier = _courier(there, keys, allow(*([sibling(DE, policy)] if policy else [])))
    verdict, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert expected == verdict
    assert [] == there.posts


async def test_an_inbox_elsewhere_is_never_posted_to(keys: Pairs) -> None:
    """A48: whatever a row says, a lane leads to its own origin."""
    there = Sibling([Answer(202)])
    courier = _courier(there, keys, allow(sibling(DE), sibling("https://it.example")))
    verdict, _ = await courier.deliver(replace(SHARED, inbox=Uri.parse("https://it.example/inbox")), 0)
    courier.close()

    assert Dropped("foreign_inbox") == verdict
    assert [] == there.posts


@pytest.mark.parametrize(
    ("priority", "signer", "expected"),
    [(Priority.REST, ANNA, Dropped("no_standing")), (Priority.NAMED, ANNA, Dropped("no_standing")),
     (Priority.WITHDRAWAL, ANNA, Held("no_standing")), (Priority.REVOCATION, ANNA, Done()),
     (Priority.REST, HOME, Done())],
)  # fmt: skip
async def test_standing_is_asked_when_a_message_is_sent(
    priority: Priority, signer: Uri, expected: object, keys: Pairs
) -> None:
    """A106: a doctor who lost their standing says nothing new; the news itself, and the instance, pass."""
    there = Sibling([Answer(202)])
    courier = _courier(there, keys, standing=False)
    verdict, _ = await courier.deliver(replace(SHARED, priority=priority, signer=signer), 0)
    courier.close()

    assert expected == verdict
    assert (1 if expected == Done() else 0) == len(there.posts)


async def test_a_signer_without_a_key_is_a_dead_letter(keys: Pairs) -> None:
    """It is our fault and not the sibling's: the lane does not wait for it."""
    there = Sibling([Answer(202)])
    courier = _courier(there, {})
    verdict, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert DeadRow("no_key") == verdict
    assert [] == there.posts


async def test_a_missing_second_key_leaves_the_first_answer(keys: Pairs) -> None:
    """A knock that cannot be made changes nothing about what the sibling said."""
    there = Sibling([Answer(401, "unknown_key")])
    courier = _courier(there, {(ANNA, Profile.RFC9421): keys[ANNA, Profile.RFC9421]})
    verdict, answer = await courier.deliver(SHARED, 0)
    courier.close()

    assert Answer(401, "unknown_key") == answer
    assert isinstance(verdict, LaneLater)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", Done()), ("sibling_set_unknown", Held("sibling_set_unknown")),
        ("outside_sibling_set", Dropped("outside_sibling_set")), (None, Held("sibling_set_unknown")),
    ],
)  # fmt: skip
async def test_what_is_anothers_is_sent_as_far_as_its_own_set_goes(
    keys: Pairs, said: str | None, expected: Any
) -> None:  # fmt: skip
    """N3: asked when it is sent; where nobody can be asked it waits. What concerns nobody else asks nobody."""
    there = Sibling([Answer(202), Answer(202)])
    courier = _courier(there, keys, passes=None if said is None else lambda homes, receiver: said)
    verdict, _ = await courier.deliver(replace(SHARED, homes=("https://it.example",)), 0)
    own, _ = await courier.deliver(SHARED, 0)
    courier.close()

    assert (expected, Done()) == (verdict, own)
    assert (2 if said == "" else 1) == len(there.posts)
