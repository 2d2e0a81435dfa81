"""`esanum siblings` where an instance has two administrators: what narrows is done, what widens waits for one of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from federation.allowlist import LocalPolicy
from federation.pairing import State
from instance.cli.siblings import siblings
from instance.cli.tools import Context
from instance.control import ControlServer
from instance.services.errors import Rejected
from tests.instance.students import administrators
from tests.network.expelling import DE, actor
from tests.network.pairing_scene import administrator, asked, fingerprint, here, lists
from tests.network.test_instance_rotation import entry
from tests.town import Network, Place, rows

WHY = ("--reason", "telephoned")


async def serving(place: Place) -> ControlServer:
    """Let an instance take commands."""
    server = ControlServer(place.node, place.config.socket)
    await server.start()
    return server


@pytest.fixture
async def fr(town: Network) -> AsyncIterator[Place]:
    """France, which lists Germany and takes commands; nobody runs it yet."""
    server = await serving(town["fr"])
    yield town["fr"]
    await server.stop()


@pytest.fixture
async def strangers(network: Any) -> AsyncIterator[tuple[Network, Place, Place]]:
    """France, which takes commands and has two administrators, and Germany; they list nobody."""
    town = await network("fr", "de", introduced=False)
    server = await serving(town["fr"])
    await administrators(town["fr"].node)
    yield town, town["fr"], town["de"]
    await server.stop()


async def esanum(place: Place, *words: str) -> Result:
    """Run the command in a thread of its own, as another process would: by the socket of the server."""
    context = Context("no file is read")
    context.__dict__["config"] = place.config
    return await asyncio.to_thread(CliRunner().invoke, siblings, list(words), obj=context)


async def acts(place: Place) -> list[str]:
    """What the record has of Germany."""
    return [change.act for change in await place.node.siblings.changes(DE)]


async def told(place: Place) -> list[str]:
    """What administrators were mailed that somebody opened alone."""
    return [row["notice"] for row in await rows(place.node, "select notice from mails where notice like '%alone'")]


async def logged(place: Place) -> list[str]:
    """The acts in the audit log."""
    return [json.loads(row["entry"])["act"] for row in await rows(place.node, "select entry from audit order by n")]


async def test_a_resume_waits_for_an_administrator(fr: Place) -> None:
    """Paused by the operator at once; resumed when one of the two confirms it at the page, with both on the record."""
    await administrators(fr.node)
    paused = await esanum(fr, "pause", DE, "--yes", *WHY)
    said = await esanum(fr, "resume", DE, "--yes", *WHY)
    between = entry(fr).policy
    (waiting,) = await fr.node.siblings.proposals.waiting()
    await fr.node.siblings.proposals.confirm(waiting.id, await actor(fr.node, "ada"))
    change = (await fr.node.siblings.changes(DE))[-1]

    assert (0, 0) == (paused.exit_code, said.exit_code)
    assert "policy is now pause" in paused.output
    assert "Proposed: nothing is open yet." in said.output
    assert LocalPolicy.PAUSE == between
    assert LocalPolicy.INHERIT == entry(fr).policy
    assert ("inherit", True) == (change.act, change.by.startswith("command line: "))
    assert 1 == change.by.count(", staff-")
    assert [] == await told(fr)


async def test_it_can_be_turned_down(fr: Place) -> None:
    """The twin: nobody confirms it, and it stays paused."""
    await administrators(fr.node)
    await esanum(fr, "pause", DE, "--yes", *WHY)
    await esanum(fr, "resume", DE, "--yes", *WHY)
    (waiting,) = await fr.node.siblings.proposals.waiting()
    await fr.node.siblings.proposals.withdraw(waiting.id, await actor(fr.node, "ben"))

    assert LocalPolicy.PAUSE == entry(fr).policy
    assert [] == await fr.node.siblings.proposals.waiting()


async def test_what_cannot_wait_is_done_and_everybody_is_told(fr: Place) -> None:
    """With --alone it speaks again at once: a line of its own, an entry of the log, a mail to every administrator."""
    await administrators(fr.node)
    await esanum(fr, "pause", DE, "--yes", *WHY)
    said = await esanum(fr, "resume", DE, "--alone", "--yes", *WHY)

    assert "policy is now inherit" in said.output
    assert LocalPolicy.INHERIT == entry(fr).policy
    assert ["add", "pause", "alone", "inherit"] == await acts(fr)
    assert ["sibling.opened_alone", "sibling.resumed"] == (await logged(fr))[-2:]
    assert ["sibling_opened_alone"] == await told(fr)


async def test_alone_does_not_replace_a_comparison(fr: Place) -> None:
    """Suspended since its keys had changed: in no hurry is that passed over."""
    await administrators(fr.node)

    async def alarm(tx: Any) -> None:
        await tx.run("siblings.raise_alarm", origin=DE, at="1")

    await esanum(fr, "pause", DE, "--yes", *WHY)
    await fr.node.store.write(alarm)
    said = [await esanum(fr, "resume", DE, "--yes", *more, *WHY) for more in ((), ("--alone",))]

    assert [True] * 2 == ["keys_not_compared" in str(each.exception) for each in said]
    assert LocalPolicy.PAUSE == entry(fr).policy
    assert [] == await told(fr)


@pytest.mark.parametrize("number", [0, 1])
async def test_where_nobody_could_be_the_second_the_operator_does_it(fr: Place, number: int) -> None:
    """Without two administrators nothing would be gained by waiting; nobody is told of what is no exception."""
    if number:
        await administrator(fr, "ada")
    await esanum(fr, "pause", DE, "--yes", *WHY)
    said = await esanum(fr, "resume", DE, "--yes", *WHY)

    assert "policy is now inherit" in said.output
    assert ["add", "pause", "inherit"] == await acts(fr)
    assert [] == await told(fr)


async def test_nobody_is_admitted_by_one_person(strangers: Any) -> None:
    """`add` is refused with its code and stores nothing; with --alone it admits, and everybody is told."""
    _, fr, de = strangers
    words = ("add", DE, "--fingerprint", await fingerprint(de), *WHY)
    refused = await esanum(fr, *words)
    before = lists(fr)
    done = await esanum(fr, *words, "--alone")

    assert "second_needed" in str(refused.exception)
    assert [] == before
    assert "is a sibling now." in done.output
    assert [DE] == lists(fr)
    assert ["alone", "add"] == await acts(fr)
    assert ["sibling_opened_alone"] == await told(fr)


async def test_a_confirmation_at_the_command_line_is_the_first_of_two(strangers: Any) -> None:
    """It proposes, once; whoever has the shell is never the second; an administrator is."""
    town, fr, de = strangers
    await asked(town, de, fr)
    words = ("confirm", "de.example", "--fingerprint", await fingerprint(de))
    first, again = await esanum(fr, *words), await esanum(fr, *words)
    between = await here(fr, de)
    ben = await actor(fr.node, "ben")
    after = await fr.node.pairings.confirm(between.id, await fingerprint(de), ("DE",), ben)

    assert "Proposed: nothing is open yet." in first.output
    assert "second_needed" in str(again.exception)
    assert (State.REQUESTED, True) == (between.state, (between.proposed_by or "").startswith("command line: "))
    assert State.CONFIRMED_HERE == after.state
    assert [] == await told(fr)


async def test_a_confirmation_that_cannot_wait_counts(strangers: Any) -> None:
    """With --alone, whoever has proposed before; and everybody is told."""
    town, fr, de = strangers
    await asked(town, de, fr)
    ada = await actor(fr.node, "ada")
    await fr.node.pairings.confirm((await here(fr, de)).id, await fingerprint(de), ("DE",), ada)
    words = ("confirm", "de.example", "--fingerprint", await fingerprint(de))
    refused, done = await esanum(fr, *words), await esanum(fr, *words, "--alone")

    assert "second_needed" in str(refused.exception)
    assert "Confirmed here; https://de.example has to as well." in done.output
    assert State.CONFIRMED_HERE == (await here(fr, de)).state
    assert ["sibling_opened_alone"] == await told(fr)


async def test_a_proposal_of_the_command_line_is_confirmed_once(fr: Place) -> None:
    """Both administrators press: the second is told that it waits no longer."""
    await administrators(fr.node)
    await esanum(fr, "pause", DE, "--yes", *WHY)
    await esanum(fr, "resume", DE, "--yes", *WHY)
    (waiting,) = await fr.node.siblings.proposals.waiting()
    await fr.node.siblings.proposals.confirm(waiting.id, await actor(fr.node, "ada"))

    with pytest.raises(Rejected, match="not_found"):
        await fr.node.siblings.proposals.confirm(waiting.id, await actor(fr.node, "ben"))
