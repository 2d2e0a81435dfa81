"""What `esanum federation-list` does on an open node; lists are made and signed without one (instance.cli)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from federation.membership import FederationList
from federation.membership_changes import differences
from instance.services import federation_list_impact as impact
from instance.services.federation_list_entries import own_entry

if TYPE_CHECKING:
    from instance.services.federation_list_holders import Holder
    from instance.wiring import Node


async def show(node: Node) -> Any:
    """Show the list in force, how the reading of it stands, and what is pinned."""
    state, reading = await node.federation_list.state(), await node.federation_list.reading()
    found = state.current
    return {
        "state": node.allowlist().list_state.value,
        "pinned": {"url": _anchor(node).url, "min_sequence": _anchor(node).min_sequence},
        "signers": {"threshold": state.signers.threshold, "key": sorted(state.signers.keys)},
        "list": None if found is None else _plain(found),
        "siblings": [] if found is None else [_held(each) for each in await node.federation_list.holders.list(found)],
        "changed": [] if found is None else await _changed(node, found),
        "reading": {name: str(value) if value is not None else None for name, value in asdict(reading).items()},
    }


async def entry(node: Node) -> Any:
    """Return this instance's own entry, as the signers may enter it."""
    return await own_entry(node)


async def verify(node: Node, text: str) -> Any:
    """Judge a list as if it had been fetched; say in what it differs and what that touches. Nothing is changed."""
    found = await node.federation_list.judge(text.encode())
    before = (await node.federation_list.state()).current
    changes = [each.plain() for each in await impact.of(node, node.store, before, found)]
    return {"sequence": found.sequence, "changes": changes, "signers": _signers(before, found)}


async def publish(node: Node, text: str, by: str) -> Any:
    """Adopt a list as if it had been fetched, and tell every sibling."""
    found = await node.federation_list.publish(text.encode(), by)
    return {"sequence": found.sequence, "valid_until": found.valid_until.isoformat()}


def _plain(found: FederationList) -> dict[str, Any]:
    return {
        "sequence": found.sequence, "hash": found.hash, "valid_from": found.valid_from.isoformat(),
        "valid_until": found.valid_until.isoformat(),
        "members": [{"domain": each.domain, "status": each.status.value} for each in found.members],
    }  # fmt: skip


async def _changed(node: Node, found: FederationList) -> list[dict[str, Any]]:
    before = await node.federation_list.before(found)
    return [each.plain() for each in await impact.of_adopted(node.store, before, found)]


def _held(each: Holder) -> dict[str, Any]:
    return {
        "origin": each.origin, "holds": each.holds.value, "sequence": each.sequence, "hash": each.hash,
        "shown_at": None if each.shown_at is None else each.shown_at.isoformat(), "code": each.code, "late": each.late,
    }  # fmt: skip


def _signers(before: FederationList | None, found: FederationList) -> str:
    return next((each.after for each in differences(before, found) if each.what == "signers"), "")


def _anchor(node: Node) -> Any:
    node.federation_list.require()
    return node.federation_list.anchor
