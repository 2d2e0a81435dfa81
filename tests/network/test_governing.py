"""What no instance takes of a governor, and what no administrator opens beside the list: the refusals of J4 and J5."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from federation import membership_drafts as drafts
from federation.allowlist import Direction
from federation.allowlist_changes import effect
from federation.vocabulary import FEDERATING_KINDS
from instance.services.errors import Rejected
from instance.services.federation_list_entries import own_entry
from tests.architecture.sources import files, text, tree
from tests.federation.chambers import did, key_of
from tests.network.listed import LIFE, Federation
from tests.network.scene import Visitor

DE, IT, ES = "https://de.example", "https://it.example", "https://es.example"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Federation]:
    """France (which publishes), Germany and Italy, under the second list they have read."""
    opened = await Federation.open(tmp_path, "fr", "de", "it")
    await opened.publish(opened.draft())
    await opened.hour()
    yield opened
    await opened.network.close()


async def refused_everywhere(town: Federation, body: bytes, name: str = "de") -> tuple[str, str]:
    """Why an instance does not take a list: from a file, and from the pinned host."""
    lists = town[name].node.federation_list
    with pytest.raises(Rejected) as handed:
        await lists.publish(body, "test")
    served, true = town["fr"].node.federation_list, town["fr"].node.federation_list.document

    async def document(sequence: str = "") -> tuple[bytes, str]:
        return body, f'"{hash(body)}"'

    served.document = document  # type: ignore[method-assign]
    town.network.clock.move(seconds=5)
    read = await lists.refresh()
    served.document = true  # type: ignore[method-assign]
    return handed.value.code, read


async def test_what_no_instance_takes(town: Federation) -> None:
    """J5.2, J5.3, J5.4: each refused with its code, handed in or read at the pinned host; the stored list stays."""
    last = town.last
    assert last is not None
    draft, now = town.draft(), town.network.clock()
    wider = drafts.with_member(draft, {**await own_entry(town["it"].node), "status": "active", "mayIssueFor": ["CH"]})
    emergency = drafts.with_values(wider, emergency={"reason": "made up", "reviewBy": f"{now + LIFE:%Y-%m-%d}"})
    old = town.draft()
    old["credentialSubject"] |= {"sequence": 1}
    twice = drafts.sign(drafts.sign(draft, key_of("a"), now=now), key_of("a"), now=now)
    wanted = {
        "too_few_signatures": town.signed(draft, "a"),
        "bad_proof": town.signed(draft, "x", "y", "z"),
        "sequence_rollback": town.signed(old),
        "list_fork": town.signed(drafts.with_values(draft, previous="sha256:" + "0" * 64)),
        "validity_too_long": town.signed(town.draft(life=LIFE * 2)),
        "emergency_widens": town.signed(emergency),
    }
    found = {code: await refused_everywhere(town, body) for code, body in wanted.items()}
    same_signer_twice = await refused_everywhere(town, orjson.dumps(twice))

    assert {code: (code, code) for code in wanted} == found
    assert ("too_few_signatures", "too_few_signatures") == same_signer_twice
    assert last.hash == town["de"].node.allowlist.federation_list.hash  # type: ignore[union-attr]

    await town.publish(draft)
    await town.hour()
    assert (3, "") == (town.sequence("de"), await town.code("de"))


async def test_a_list_that_has_run_out_is_taken_by_nobody(town: Federation) -> None:
    """J5.3: signed by as many as must, and too old; the next one is taken."""
    late = town.signed(town.draft())
    town.network.clock.move(days=14, seconds=301)
    for name in ("fr", "de", "it"):
        with pytest.raises(Rejected, match="federation_list_expired"):
            await town[name].node.federation_list.publish(late, "test")

    await town.publish(town.draft())
    await town["de"].node.federation_list.refresh()
    assert 3 == town.sequence("de")


async def test_a_key_that_was_replaced_signs_nothing_more(town: Federation) -> None:
    """J5.5: from the list on that names others, at every instance; the standby key does."""
    change = drafts.with_values(town.draft(), signers={"threshold": 2, "key": [did("a"), did("b"), did("d")]})
    await town.publish(change, "a", "b", "d")
    await town.hour()
    stolen = town.signed(town.draft(), "b", "c")

    for name in ("de", "it"):
        assert ("too_few_signatures", "too_few_signatures") == await refused_everywhere(town, stolen, name)
    await town.publish(town.draft(), "b", "d")
    await town.hour()
    assert [4, 4] == [town.sequence(name) for name in ("de", "it")]


async def test_in_an_emergency_old_words_stay_with_a_label_and_new_ones_are_refused(town: Federation) -> None:
    """J5.4: until the chambers have signed each administrator closes alone and at once; then all do."""
    otto, luca = await town["de"].doctor("otto"), await town["it"].doctor("luca")
    await luca.posts("Before")
    await town.network.settle()
    await town["fr"].node.siblings.set_policy(IT, "block", by="test", reason="test")
    alone = effect(town["fr"].node.allowlist(), IT).refused[Direction.IN]
    reason = {"reason": "The machine was taken over.", "reviewBy": f"{town.network.clock() + LIFE:%Y-%m-%d}"}
    await town.publish(drafts.with_values(town.with_status("it", "suspended"), emergency=reason))
    await town.network.settle()
    await town.read_by_all()
    await luca.posts("After")
    await town.network.settle()
    page = await (await Visitor.of(otto)).text("/feed?tab=all")

    assert "sibling_blocked" == alone
    assert "issuer_suspended" == effect(town["de"].node.allowlist(), IT).refused[Direction.IN]
    assert "Before" in page
    assert "not confirmed since" in page
    assert "After" not in page


async def test_whom_the_list_does_not_name_no_administrator_opens(town: Federation) -> None:
    """J4.3: added by hand, resumed, with every kind and country, Spain permits nothing; once it is listed it does."""
    spain, fr = await town.add("es"), town["fr"]
    await fr.admits(spain, countries=("ES", "FR"))
    node = fr.node
    await node.siblings.set_policy(ES, "pause", by="test", reason="test")
    await node.siblings.set_policy(ES, "inherit", by="test", reason="test")
    await node.siblings.set_kinds(ES, sorted(FEDERATING_KINDS), sorted(FEDERATING_KINDS), by="test", reason="test")
    carmen = await spain.doctor("carmen")
    answer = await carmen.sends(fr, b"{}")
    before = effect(node.allowlist(), ES).refused
    await town.publish(await town.admitting("es"))
    after = effect(node.allowlist(), ES).refused

    assert {"not_a_sibling"} == set(before.values())
    assert (403, "not_a_sibling") == (answer.status, orjson.loads(answer.body)["error"])
    assert {""} == set(after.values())


def test_the_environment_opens_nothing() -> None:
    """J4.12: no variable is read but the folder in which systemd hands over the passwords."""
    asking = [path for path in files() if re.search(r"\b(environ|environb|getenv|getenvb)\b", text(path))]
    read = {name for path in asking for name in _variables(tree(path))}

    assert {"CREDENTIALS_DIRECTORY"} == read


def _variables(module: ast.AST) -> set[str]:
    """What a module asks of the environment; `*` where that cannot be told."""
    found: set[str] = set()
    for node in ast.walk(module):
        asked: Any = None
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv", "getenv"):
            asked = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("os.environ", "environ"):
            asked = node.slice
        if asked is not None:
            found.add(asked.value if isinstance(asked, ast.Constant) else "*")
    return found
