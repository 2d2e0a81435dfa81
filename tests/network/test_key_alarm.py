"""A sibling whose keys change unannounced is suspended by the instance itself; a stranger cannot bring that about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.allowlist import LocalPolicy
from federation.keys import make_rsa
from federation.signatures import Profile
from federation.uri import Uri
from instance import ops
from instance.services import key_alarm
from instance.services.errors import Rejected
from tests.network.scene import Liar, refusals
from tests.network.test_instance_rotation import ORDER, announced, entry, repin, report
from tests.network.test_pins import _pem
from tests.town import Network, Place, rows, send_signed

DE = "https://de.example"


@pytest.fixture
def de(town: Network) -> Place:
    """Whose keys change."""
    return town["de"]


def taken_over(de: Place) -> Liar:
    """Somebody else answers at its address, with keys of their own."""
    thief = make_rsa(Uri.parse(f"{de.node.actor}#main-key"), de.node.actor, 2048)
    return Liar(
        de, "/actor", lambda d: {k: v for k, v in d.items() if k != "assertionMethod"} | {"publicKey": _pem(thief)}
    )


async def reads(fr: Place, de: Place) -> None:
    """The French instance reads the German actor at its home."""
    await fr.node.directory.read_anew(de.node.actor, entry(fr))


async def test_other_keys_at_its_home_suspend_it(town: Network, de: Place, fr: Place) -> None:
    """Paused by the system, with line, log entry, mail and a figure; its queue is held and nothing is lost."""
    await (await fr.doctor("marie")).posts("Written before")
    taken_over(de)
    await reads(fr, de)
    change = (await fr.node.siblings.changes(DE))[-1]
    entries = [json.loads(row["entry"]) for row in await rows(fr.node, "select entry from audit order by n")]
    mails = await rows(fr.node, "select notice, whom from mails where notice = 'sibling_key_changed'")
    await ops.count(fr.node)

    assert LocalPolicy.PAUSE == entry(fr).policy
    assert ("pause", "system", key_alarm.CODE) == (change.act, change.by, change.reason)
    assert ("sibling.paused", "system") == (entries[-1]["act"], entries[-1]["by"])
    assert [DE] == list(await key_alarm.alarms(fr.node))
    assert [("sibling_key_changed", "administrators")] == [tuple(row) for row in mails]
    assert ["held"] == [
        row["state"] for row in await rows(fr.node, f"select state from deliveries where origin = '{DE}'")
    ]
    assert b"esanum_sibling_key_alarms 1.0" in fr.node.metrics.render()
    assert LocalPolicy.INHERIT == fr.node.allowlist().siblings["https://it.example"].policy


async def test_an_announced_rotation_does_not(town: Network, de: Place, fr: Place) -> None:
    """The twin: new beside pinned, then the new alone, of which nobody here has compared any: no suspension, no trust."""
    await announced(town, de)
    await reads(fr, de)
    beside = entry(fr).policy
    town.clock.move(days=3)
    await reads(fr, de)
    new = await de.node.keys.signing_key(de.node.actor, Profile.CAVAGE)

    assert (LocalPolicy.INHERIT, LocalPolicy.INHERIT) == (beside, entry(fr).policy)
    assert {} == await key_alarm.alarms(fr.node)
    assert (403, "pin_mismatch") == await report(de, fr, new)


async def test_a_stranger_cannot_suspend_anybody(town: Network, de: Place, fr: Place, anna: Any) -> None:
    """Signatures that claim a key of the sibling, one it has and one it has not, are refused, and it speaks on."""
    for name in ("main-key", "ed25519-key", "another"):
        forger = make_rsa(Uri.parse(f"{de.node.actor}#{name}"), de.node.actor, 2048)
        for _ in range(3):
            assert 401 == (await send_signed(fr, json.dumps({"id": "x"}).encode(), forger)).status
        town.clock.move(minutes=2)
    await anna.posts("Still here")
    await town.settle()

    assert LocalPolicy.INHERIT == entry(fr).policy
    assert {} == await key_alarm.alarms(fr.node)
    assert set(await refusals(fr)) <= {"bad_signature", "key_not_owned", "unknown_key"}
    assert "Still here" in await fr.titles()


async def test_another_sibling_cannot_suspend_it(town: Network, de: Place, fr: Place) -> None:
    """Only what is read at its own origin counts: what Italy serves under Germany's name is not looked at."""
    taken_over(town["it"])
    await fr.node.directory.read_anew(town["it"].node.actor, fr.node.allowlist().siblings["https://it.example"])

    assert LocalPolicy.INHERIT == entry(fr).policy
    assert ["https://it.example"] == list(await key_alarm.alarms(fr.node))


@pytest.mark.parametrize("policy", ["pause", "block"])
async def test_whoever_is_paused_already_stays_so(town: Network, de: Place, fr: Place, policy: str) -> None:
    """A person's policy is not overwritten, and nothing is said twice."""
    sibling = entry(fr)
    await fr.node.siblings.set_policy(DE, policy, **ORDER)
    await key_alarm.suspend(fr.node, sibling)
    changes = [change.act for change in await fr.node.siblings.changes(DE)]

    assert policy == entry(fr).policy
    assert ["add", policy] == changes


async def test_reading_it_twice_says_it_once(town: Network, de: Place, fr: Place) -> None:
    """Two readings at once are one suspension."""
    sibling = entry(fr)
    await key_alarm.suspend(fr.node, sibling)
    await key_alarm.suspend(fr.node, sibling)

    assert 1 == [change.act for change in await fr.node.siblings.changes(DE)].count("pause")


async def test_pins_that_changed_meanwhile_are_not_held_against_it(town: Network, de: Place, fr: Place) -> None:
    """Somebody pinned new keys while the old ones were being compared with what was read: no suspension."""
    before = entry(fr)
    await announced(town, de)
    await repin(fr, de)
    await key_alarm.suspend(fr.node, before)

    assert LocalPolicy.INHERIT == entry(fr).policy


async def test_nobody_resumes_before_the_keys_were_compared(town: Network, de: Place, fr: Place) -> None:
    """Not wholly, not for reading; after the comparison what was held goes on in its order."""
    await (await fr.doctor("marie")).posts("Written before")
    thief = taken_over(de)
    await reads(fr, de)
    for policy in ("inherit", "read-only"):
        with pytest.raises(Rejected, match="keys_not_compared"):
            await fr.node.siblings.set_policy(DE, policy, **ORDER)
    with pytest.raises(Rejected, match="fingerprint_differs"):
        await repin(fr, de)
    thief.honest()
    await repin(fr, de, fingerprint="")
    paused = entry(fr).policy
    await fr.node.siblings.set_policy(DE, "inherit", **ORDER)
    await town.settle()

    assert LocalPolicy.PAUSE == paused
    assert {} == await key_alarm.alarms(fr.node)
    assert ["Written before"] == await de.titles()


async def test_removing_it_ends_the_alarm(town: Network, de: Place, fr: Place) -> None:
    """Whoever is admitted anew begins anew."""
    taken_over(de)
    await reads(fr, de)
    await fr.node.siblings.remove(DE, **ORDER)

    assert {} == await key_alarm.alarms(fr.node)
