"""What `esanum` commands do, on an open node: the same functions behind the control socket and without a server.

Each takes plain JSON values and returns plain JSON values; `by` says who gives the order and is recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from federation.signatures import Profile
from instance import commands_deliveries, commands_federation_list
from instance.evidence import OPEN
from instance.ids import new_ulid
from instance.kek import KekRotation, left_behind
from instance.services import backups, own_refusals, rotation, staff_acts
from instance.services.candidates import read_found
from instance.services.dossiers import chain, segments, witnesses
from instance.services.orders import check_order
from instance.services.renewals import Cohort
from instance.services.staff import Invite
from instance.storage.store import Transaction
from instance.times import from_ms, to_ms
from instance.vault import BadSecret, CannotOpen, open_issuer_key, open_vault
from instance.views import countries, messages, pairing
from instance.wiring import Node

Command = Callable[..., Awaitable[Any]]


async def siblings_look_up(node: Node, origin: str) -> Any:
    """Read a candidate's instance actor once, signed; store nothing."""
    return _plain(await node.siblings.look_up(origin))


async def siblings_add(
    node: Node, found: dict[str, Any], fingerprint: str, countries: list[str], by: str, reason: str,
    alone: bool = False,
) -> Any:  # fmt: skip
    """Store what `siblings_look_up` found, when the confirmed fingerprint is the one of exactly that."""
    candidate = read_found(found)
    return _plain(
        await node.siblings.add(
            candidate, fingerprint=fingerprint, may_issue_for=tuple(countries), by=by, reason=reason, alone=alone
        )
    )


async def siblings_preview(node: Node, origin: str, change: str) -> Any:
    """Say what a change would touch; change nothing."""
    return _plain(await node.siblings.preview(origin, change))


async def siblings_set_policy(
    node: Node, origin: str, policy: str, by: str, reason: str, alone: bool = False
) -> Any:  # fmt: skip
    """Narrow or restore what a sibling may do here; what takes a second person is proposed, and nothing changes yet."""
    return _plain(await node.siblings.set_policy(origin, policy, by=by, reason=reason, alone=alone))


async def siblings_remove(node: Node, origin: str, by: str, reason: str) -> Any:
    """Take a sibling off the allowlist."""
    await node.siblings.remove(origin, by=by, reason=reason)
    return {"origin": origin, "policy": "removed"}


async def siblings_compare(node: Node, origin: str) -> Any:
    """Read a sibling's instance actor once, and hold what it shows against what is pinned; store nothing."""
    return _plain(await node.siblings.pins.compare(origin))


async def siblings_repin(node: Node, found: dict[str, Any], fingerprint: str, by: str, reason: str) -> Any:
    """Pin what `siblings_compare` found; without a fingerprint pins may only leave."""
    return _plain(await node.siblings.pins.repin(read_found(found), fingerprint, by, reason))


async def siblings_list(node: Node) -> Any:
    """List the allowlist."""
    return _plain(await node.siblings.list())


async def siblings_show(node: Node, origin: str) -> Any:
    """Show one entry, keys it shows beside the pinned ones, its queue, and the record of its changes."""
    entry = await node.siblings.show(origin)
    new, gone = await node.siblings.pins.announced(entry)
    queue = await node.queue.overview(origin=origin)
    return {
        "entry": _plain(entry),
        "keys": {"new": _plain(new), "gone": _plain(gone)},
        "queue": {row["state"]: row["number"] for row in queue["counts"]},
        "lane": _plain(next(iter(queue["lanes"]), None)),
        "changes": _plain(await node.siblings.changes(origin)),
    }


async def siblings_refusals(node: Node, origin: str) -> Any:
    """Ask a sibling what it refused to us."""
    return _plain(await own_refusals.ask(node, origin))


async def messages_find(
    node: Node, text: str, origin: str, code: str, verdict: str, direction: str, days: int
) -> Any:  # fmt: skip
    """List the newest messages that fit."""
    since = node.clock() - timedelta(days=days)
    sought = messages.Sought(
        text=text, origin=origin, code=code, verdict=verdict, direction=direction, since=since
    )  # fmt: skip
    return _plain((await messages.find(node, sought)).lines)


async def messages_show(node: Node, id: str) -> Any:
    """Show one message without its body, and what is related to it."""
    return _plain(await messages.show(node, id))


async def siblings_invite(node: Node, origin: str, by: str) -> Any:
    """Read an instance's actor, and ask its administrator."""
    return pairing.listed(await node.pairings.invite(origin, by))


async def siblings_requests(node: Node) -> Any:
    """List invitations and requests that wait, and those that are over."""
    return [pairing.listed(each) for each in (*await node.pairings.open(), *await node.pairings.over())]


async def siblings_read(node: Node, origin: str, by: str) -> Any:
    """Read the actor of whoever asks at its home, unless that was done; show it."""
    found = await node.pairings.of(origin)
    return pairing.listed(await node.pairings.read(found.id, by) if found.open and not found.read_at else found)


async def siblings_confirm(
    node: Node, origin: str, fingerprint: str, countries: list[str], by: str, alone: bool = False
) -> Any:  # fmt: skip
    """Confirm a pairing with the fingerprint that was compared, or propose it where a second person has to."""
    found = await node.pairings.of(origin)
    may = countries or found.countries
    return pairing.listed(await node.pairings.confirm(found.id, fingerprint, may, by, alone=alone))


async def siblings_decline(node: Node, origin: str, reason: str, by: str) -> Any:
    """Decline a request, or take an invitation back."""
    found = await node.pairings.of(origin)
    return pairing.listed(await node.pairings.decline(found.id, reason, by))


async def doctors_list(node: Node) -> Any:
    """List the doctors of this instance."""
    return _plain(await node.people.list_own())


async def doctors_suspend(node: Node, handle: str, by: str, reason: str) -> Any:
    """Take a doctor's standing away at once, here and at every sibling."""
    await node.people.suspend(handle, by=by, reason=reason)
    return {"handle": handle, "standing": "suspended"}


async def doctors_reinstate(node: Node, handle: str, by: str, reason: str) -> Any:
    """Give a suspended doctor's standing back."""
    await node.people.reinstate(handle, by=by, reason=reason)
    return {"handle": handle, "standing": "ok"}


async def staff_invite(
    node: Node, email: str, roles: list[str], countries: list[str], sites: list[str], by: str, former: str = ""
) -> Any:
    """Make an invitation and return its link, shown this once."""
    new = Invite(email=email, roles=tuple(roles), countries=tuple(countries), sites=tuple(sites), former=former)
    return _plain(await node.staff.invite(new, by=by))


async def staff_list(node: Node) -> Any:
    """List who works here, and the invitations that wait."""
    return {"staff": _plain(await node.staff.list()), "invitations": _plain(await node.staff.waiting())}


async def staff_end(node: Node, id: str, by: str, reason: str, force: bool = False) -> Any:
    """Take every role from a member of staff."""
    await node.staff.end(id, by=by, reason=reason, force=force)
    return {"id": id}


async def staff_reset_factors(node: Node, login: str, by: str, reason: str) -> Any:
    """Take every second factor of an account whose owner has lost them; return the link that lets staff add one."""
    return {"login": login, "link": await node.factors.reset(login, by=by, reason=reason)}


async def staff_send_recovery(node: Node, login: str, by: str, reason: str) -> Any:
    """Send a recovery code to the proved address of an account."""
    await node.recovery.send(login, by=by, reason=reason)
    return {"login": login}


async def staff_withdraw(node: Node, id: str, by: str) -> Any:
    """Take an invitation back."""
    await node.staff.withdraw(id, by=by)
    return {"id": id}


async def deliveries_list(node: Node, origin: str = "", state: str = "") -> Any:
    """Show every sibling's queue, and list those deliveries that are dead or waiting."""
    return _plain(await commands_deliveries.listed(node, origin, state))


async def deliveries_show(node: Node, id: str) -> Any:
    """Show one delivery; never its body."""
    return _plain(await commands_deliveries.shown(node, id))


async def keys_show(node: Node) -> Any:
    """Show the instance's public keys, as siblings pin them, and which of them sign now."""
    actor = node.keys.instance_actor
    signing = {(await node.keys.signing_key(actor, profile)).id for profile in Profile}
    published = await node.keys.published(actor)
    return {
        "fingerprint": await node.siblings.own_fingerprint(),
        "instance": [
            {"id": key.id, "fingerprint": key.fingerprint, "algorithm": key.algorithm, "signs": key.id in signing}
            for key in published
        ],
        "issuer": {"id": str(node.keys.issuer_id), "key": node.keys.issuer_multikey},
    }


async def keys_rotate(node: Node, handle: str, by: str, reason: str) -> Any:
    """Rotate a doctor's message keys with overlap and tell the siblings."""
    await node.people.rotate_keys(handle, by=by, reason=reason)
    return {"handle": handle}


async def keys_rotate_instance(node: Node, by: str, reason: str, days: int) -> Any:
    """Rotate the instance's own message keys with overlap, and tell the siblings."""
    return _plain(await rotation.rotate_instance(node, by, reason, timedelta(days=days)))


async def credentials_renew(node: Node, country: str, all: bool, signed_with: str, by: str, reason: str) -> Any:
    """Issue credentials anew for a cohort; the same order goes on where it was interrupted."""
    return _plain(
        await node.people.renewals.renew(Cohort(country=country, all=all, signed_with=signed_with), by, reason)
    )


async def credentials_progress(node: Node) -> Any:
    """How far the order is that is at work."""
    return _plain(node.people.renewals.progress)


async def keys_rotate_kek(node: Node, by: str, reason: str) -> Any:
    """Seal private keys and the keys of evidence anew under other keys; it is recorded first who ordered it."""
    check_order(by, reason)
    await _record_in_log(node, "kek_rotation_ordered", by, "", reason)
    return {**_plain(await KekRotation(node).run()), "evidence": await _rotate_evidence_kek(node)}


async def _rotate_evidence_kek(node: Node) -> Any:
    """The same for the keys of evidence; what stands against it is said, since the rows have their new key by now."""
    if node.evidence.state != OPEN:
        return {"closed": node.evidence.state}
    try:
        return _plain(await node.evidence.rotate_kek())
    except (BadSecret, CannotOpen) as fault:
        return {"fault": str(fault)}


async def backup(node: Node, by: str, target: str, evidence: str = "") -> Any:
    """Write a consistent copy of the database while the server runs; it is recorded first who ordered it.

    `evidence` is a folder whose copy of the sealed files is brought up to date; their keys are not in it.
    """
    if evidence:
        node.evidence.require_outside(Path(evidence))
    await _record_in_log(node, "backup_ordered", by, target)
    await node.logs.before_copy()
    try:
        await node.store.backup(target)
    finally:
        await node.logs.after_copy()
    await backups.made(node)
    return {"written": target, "added": await node.evidence.copy_to(Path(evidence)) if evidence else 0}


async def evidence_show(node: Node) -> Any:
    """Say whether the evidence vault is open, and what is to be mended."""
    return {"findings": await node.evidence.findings(), "state": node.evidence.state}


async def evidence_back_up_keys(node: Node, by: str, target: str) -> Any:
    """Write a copy of the wrapped keys of evidence; it is recorded first who ordered it."""
    node.evidence.require_apart(Path(target))
    await _record_in_log(node, "evidence_keys_backup_ordered", by, target)
    await node.evidence.copy_keys_to(Path(target))
    return {"written": target}


async def audit_verify(node: Node, heads: list[str]) -> Any:
    """Recompute the audit log and hold it against heads of it that siblings have, and those named (`N sha256:…`).

    What a sibling says without our signature, and what was acknowledged after a restore, is listed and does not count.
    """
    named = [*map(chain.read_text, heads)]
    counted, claims = await witnesses.evidence(node.store, await node.dossiers.heads.ask(node.allowlist()))
    held = [*named, *counted]
    found, parts = await node.dossiers.checking.whole(held), await segments.all_of(node.store)
    return {
        "entries": found.holds, "head": str(await chain.head(node.store)), "held": len(held),
        "broken": None if found.broken is None else {"at": found.broken.at, "fault": found.broken.fault.value},
        "gone": [{"first": part.first, "last": part.last, "why": part.gone} for part in parts if part.gone],
        "alarms": await node.dossiers.heads.alarms(), "claims": _plain(claims),
    }  # fmt: skip


async def audit_lost(node: Node) -> Any:
    """Ask siblings whom they saw revoked or suspended in our lists who is not so here."""
    await node.dossiers.restoring.look()
    return _plain(await node.dossiers.restoring.lost())


async def audit_resume(node: Node, by: str, reason: str, force: bool) -> Any:
    """Sign again after a restore: the log goes on behind the longest that a sibling holds; the order is recorded."""
    return _plain(await node.dossiers.restoring.resume(by, reason, force=force))


async def registers_import(node: Node, name: str, path: str, map_text: str, force: bool, by: str) -> Any:
    """Bring a register's file in; it is recorded first who ordered it."""
    await _record(node, "register_import_ordered", by, name)
    return _plain(await node.dossiers.registers.bring_in(name, Path(path), map_text=map_text, force=force))


async def registers_progress(node: Node) -> Any:
    """How far the import is that is at work: bytes read, bytes in all, entries."""
    return list(node.dossiers.registers.progress)


async def registers_list(node: Node) -> Any:
    """List the registers in force."""
    return [
        {**dict(row), "at": from_ms(row["at"]).isoformat()} for row in await node.dossiers.registers.list()
    ]  # fmt: skip


async def policy_show(node: Node, country: str = "") -> Any:
    """Say what is in force for one country, or for all this instance may vouch for, beside what the file says."""
    return await countries.listed(node.policies, country)


async def check(node: Node) -> Any:
    """Say what is wrong with this instance, in sentences; those that begin with `warning: ` are advice."""
    findings = [*await node.store.check(), *await _of_sealed_keys(node), *await _of_pins(node), *node.clocks.findings()]
    findings += [*await node.evidence.findings(), *await node.dossiers.numbers.findings()]
    findings += [*await node.policies.findings(), *await node.mails.findings()]
    findings += await node.dossiers.restoring.findings()
    for opened in (open_vault, open_issuer_key):
        try:
            opened(node.config)
        except BadSecret as error:
            findings.append(str(error))
    if not node.allowlist.readable:
        findings.append("the allowlist cannot be read: nobody may speak with this instance")
    return {"origin": node.origin, "findings": findings, "siblings": len(node.allowlist())}


async def _of_sealed_keys(node: Node) -> list[str]:
    """Private keys that no key-encryption key here opens, and a rotation that has not come to its end."""
    kinds = {"private keys": "own_keys.seals", "secrets of code apps": "factors.seals", "numbers": "dossiers.seals"}
    try:
        shut = {what: await _shut(node, query) for what, query in kinds.items()}
    except BadSecret:
        return []  # the secrets are looked at by themselves
    findings = [
        f"{number} {what} are sealed under another key-encryption key: restore that one"
        for what, number in shut.items()
        if number
    ]
    left = left_behind(node.config)
    if left is not None:
        findings.append(f"warning: {left}: a rotation has not come to its end; run `esanum keys rotate-kek` again")
    return findings


async def _shut(node: Node, query: str) -> int:
    """How many rows no key-encryption key here opens."""
    return sum(row["number"] for row in await node.store.all(query) if not node.vault.opens(bytes(row["head"])))


async def _of_pins(node: Node) -> list[str]:
    """Siblings that show other keys than those pinned."""
    findings = []
    for sibling in node.allowlist():
        new, gone = await node.siblings.pins.announced(sibling)
        if new or gone:
            findings.append(
                f"warning: {sibling.origin} shows {len(new)} keys that are not pinned and {len(gone)} pinned ones no"
                f" longer: see `esanum siblings repin {sibling.origin}`"
            )
    return findings


async def _record(node: Node, act: str, by: str, subject: str, reason: str = "") -> None:
    now = node.clock()

    async def work(tx: Transaction) -> None:
        await tx.run(
            "people.record", id=new_ulid(now), act=act, by_whom=by, subject=subject, reason=reason, at=to_ms(now)
        )

    await node.store.write(work)


async def _record_in_log(node: Node, act: str, by: str, subject: str, reason: str = "") -> None:
    """The same with its entry of the audit log; what cannot be entered there is not done."""
    now = node.clock()

    async def work(tx: Transaction) -> None:
        await staff_acts.record(tx, act, by, subject, now, reason=reason)

    await node.store.write(work)


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [_plain(item) for item in items]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else _plain(dict(value))


ALL: Final[dict[str, Command]] = {
    "policy.show": policy_show,
    "siblings.invite": siblings_invite,
    "siblings.requests": siblings_requests,
    "siblings.read": siblings_read,
    "siblings.confirm": siblings_confirm,
    "siblings.decline": siblings_decline,
    "siblings.look_up": siblings_look_up,
    "siblings.add": siblings_add,
    "siblings.compare": siblings_compare,
    "siblings.repin": siblings_repin,
    "siblings.preview": siblings_preview,
    "siblings.set_policy": siblings_set_policy,
    "siblings.remove": siblings_remove,
    "siblings.list": siblings_list,
    "siblings.show": siblings_show,
    "siblings.refusals": siblings_refusals,
    "messages.find": messages_find,
    "messages.show": messages_show,
    "doctors.list": doctors_list,
    "doctors.suspend": doctors_suspend,
    "doctors.reinstate": doctors_reinstate,
    "staff.invite": staff_invite,
    "staff.list": staff_list,
    "staff.end": staff_end,
    "staff.withdraw": staff_withdraw,
    "staff.reset_factors": staff_reset_factors,
    "staff.send_recovery": staff_send_recovery,
    "deliveries.list": deliveries_list,
    "deliveries.show": deliveries_show,
    "deliveries.retry": commands_deliveries.retry,
    "deliveries.try_now": commands_deliveries.try_now,
    "credentials.renew": credentials_renew,
    "credentials.progress": credentials_progress,
    "keys.show": keys_show,
    "keys.rotate": keys_rotate,
    "keys.rotate_instance": keys_rotate_instance,
    "keys.rotate_kek": keys_rotate_kek,
    "backup": backup,
    "evidence.show": evidence_show,
    "evidence.back_up_keys": evidence_back_up_keys,
    "audit.verify": audit_verify,
    "audit.lost": audit_lost,
    "audit.resume": audit_resume,
    "registers.import": registers_import,
    "registers.list": registers_list,
    "registers.progress": registers_progress,
    "check": check,
    "federation_list.show": commands_federation_list.show,
    "federation_list.entry": commands_federation_list.entry,
    "federation_list.verify": commands_federation_list.verify,
    "federation_list.publish": commands_federation_list.publish,
}
