"""`esanum federation-list`: make, sign, put together, look through and publish the list of who belongs.

`init`, `propose`, `sign` and `merge` need no instance and no network: signers use them on a machine of their own.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instance.cli.tools import Context, Failure, show_json, show_touched, who

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from federation.membership import FederationList

_out = click.option("--out", "-o", required=True, type=click.Path(dir_okay=False), help="The file to write.")
_file = click.argument("file", type=click.Path(exists=True, dir_okay=False))


@click.group("federation-list")
def federation_list() -> None:
    """The list of the federation's members, signed by m of n signers and read by every instance."""


@federation_list.command()
@click.argument("key_file", type=click.Path(dir_okay=False))
def init(key_file: str) -> None:
    """Make a signer's key in KEY_FILE (readable by its owner alone) and print the id that instances pin."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from federation.membership_drafts import did_of

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    try:
        place = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failure(f"{key_file} is there already; a signer's key is never overwritten") from None
    with os.fdopen(place, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    click.echo(did_of(key.public_key()))


@federation_list.command()
@click.pass_obj
def entry(context: Context) -> None:
    """Print this instance's own entry, for whoever proposes the next list."""
    show_json(context.run("federation_list.entry"))


@federation_list.command()
@click.option("--from", "before", type=click.Path(exists=True, dir_okay=False), help="The list before, as published.")
@click.option("--url", help="Where the list will be read (first list only).")
@click.option("--sequence", type=click.IntRange(1), default=1, help="Of the first list.")
@click.option("--days", type=click.IntRange(1, 14), default=14, show_default=True, help="How long it holds.")
@click.option("--member", "members", multiple=True, type=click.Path(exists=True), help="An entry to add or replace.")
@click.option("--status", "statuses", multiple=True, metavar="DOMAIN=STATUS", help="A member's new state.")
@click.option("--signer", "signers", multiple=True, metavar="DID", help="Every signer of the lists after this one.")
@click.option("--threshold", type=int, help="How many of them must sign.")
@click.option("--emergency", help="Why this list is signed out of turn; it can only narrow.")
@click.option("--review-by", help="The day by which an emergency is looked at again, such as 2026-12-24.")
@_out
def propose(out: str, before: str | None, **asked: Any) -> None:
    """Write the next list, unsigned: the members of the one before with the changes named here."""
    from federation.membership import NotAdopted

    try:
        made = _drafted(None if before is None else _list(before), **asked)
        found = _checked(made)
    except (ValueError, NotAdopted) as fault:
        raise Failure(f"this cannot be proposed: {fault}") from None
    _write(out, made)
    click.echo(f"{out}: list {found.sequence}, until {found.valid_until:%Y-%m-%d %H:%M} UTC. Not signed yet.")
    _show_differences(None if before is None else _list(before), found)


@federation_list.command()
@_file
@click.option("--key", "key_file", required=True, type=click.Path(exists=True, dir_okay=False), help="Your key.")
@click.option("--from", "before", type=click.Path(exists=True, dir_okay=False), help="The list before, to compare.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_out
def sign(file: str, key_file: str, before: str | None, out: str, yes: bool) -> None:
    """Show what FILE changes, and write it with your signature."""
    from federation.membership_drafts import sign as signed
    from instance.times import system_clock

    key, found = _key(key_file), _list(file)
    previous = None if before is None else _list(before)
    if previous is not None and found.previous != previous.hash:
        raise Failure(f"{file} does not follow {before} (list_fork)")
    click.echo(f"list {found.sequence}, until {found.valid_until:%Y-%m-%d %H:%M} UTC, {found.hash}")
    _show_differences(previous, found)
    if not yes:
        click.confirm("Sign this?", abort=True)
    _write(out, signed(found.document, key, now=system_clock()))
    click.echo(f"{out}: signed.")


@federation_list.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@_out
def merge(files: tuple[str, ...], out: str) -> None:
    """Put the signatures of several copies of one list together."""
    from federation.membership_drafts import merge as merged
    from federation.membership_drafts import proofs

    try:
        made = merged([_list(file).document for file in files])
    except ValueError as fault:
        raise Failure(str(fault)) from None
    _write(out, made)
    click.echo(f"{out}: {len(proofs(made))} signatures.")


@federation_list.command()
@_file
@click.pass_obj
def verify(context: Context, file: str) -> None:
    """Judge FILE as this instance would if it read it, and show what it changes and touches here."""
    _preview(context, _text(file))


@federation_list.command()
@_file
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def publish(context: Context, file: str, yes: bool) -> None:
    """Show what FILE does here, then hand it in: it is judged as if it had been read, served, and siblings are told."""
    text = _text(file)
    _preview(context, text)
    if not yes:
        click.confirm("Hand this list in?", abort=True)
    found = context.run("federation_list.publish", text=text, by=who())
    click.echo(f"list {found['sequence']} is in force here until {found['valid_until']}; siblings are told.")


@federation_list.command()
@click.pass_obj
def show(context: Context) -> None:
    """Show the list in force, its signers, and how the reading of it stands."""
    show_json(context.run("federation_list.show"))


# ── parts ──


def _drafted(
    before: FederationList | None, *, url: str | None, sequence: int, days: int, members: tuple[str, ...],
    statuses: tuple[str, ...], signers: tuple[str, ...], threshold: int | None, emergency: str | None,
    review_by: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The next list with every change asked for; raise ValueError for one that cannot be."""
    from federation import membership_drafts as drafts
    from federation.membership import Emergency, MemberStatus, Signers
    from federation.uri import Uri
    from instance.times import system_clock

    now, life = system_clock(), timedelta(days=days)
    if before is None and url is None:
        raise ValueError("say with --from which list it follows, or with --url where the first will be read")
    made: dict[str, Any]
    if before is None:
        made = drafts.first(Uri.parse(url), now=now, life=life, sequence=sequence)
    else:
        made = drafts.following(before, now=now, life=life)
    for file in members:
        made = drafts.with_member(made, _json(file))
    for text in statuses:
        domain, _, status = text.rpartition("=")
        made = drafts.with_status(made, domain, MemberStatus(status))
    if signers or threshold is not None:
        if threshold is None:
            raise ValueError("--signer and --threshold belong together")
        made = drafts.with_signers(made, Signers(threshold, frozenset(signers)))
    if emergency is not None:
        if review_by is None:
            raise ValueError("an emergency needs --review-by")
        at = datetime.fromisoformat(review_by).replace(tzinfo=UTC)
        made = drafts.with_emergency(made, Emergency(emergency, at))
    return made


def _checked(document: dict[str, Any]) -> FederationList:
    from federation.membership import read_document

    return read_document(document)


def _list(file: str) -> FederationList:
    from federation.membership import NotAdopted, read

    try:
        return read(Path(file).read_bytes())
    except NotAdopted as fault:
        raise Failure(f"{file} is no federation list ({fault.code})") from None


def _json(file: str) -> Any:
    try:
        return json.loads(Path(file).read_text("utf-8"))
    except ValueError:
        raise Failure(f"{file} is not JSON") from None


def _text(file: str) -> str:
    _list(file)
    return Path(file).read_text("utf-8")


def _key(file: str) -> Ed25519PrivateKey:
    """The signer's key; Failure where others may read it, or it is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if Path(file).stat().st_mode & 0o077:
        raise Failure(f"{file} can be read by others: chmod 600 it, and ask yourself who has read it")
    try:
        key = load_pem_private_key(Path(file).read_bytes(), None)
    except (ValueError, TypeError):
        raise Failure(f"{file} is no signer's key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Failure(f"{file} is no signer's key")
    return key


def _write(file: str, document: dict[str, Any]) -> None:
    Path(file).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _preview(context: Context, text: str) -> None:
    """Show what a list would open, close and touch here; Failure where it would not be adopted."""
    found = context.run("federation_list.verify", text=text)
    click.echo(f"list {found['sequence']} would be adopted.")
    if not found["changes"] and not found["signers"]:
        click.echo("  nothing changes")
    for each in found["changes"]:
        for line in each["differences"]:
            click.echo(f"  {_difference({**line, 'domain': each['domain']})}")
        for name in ("opens", "closes"):
            if each[name]:
                click.echo(f"  {each['domain']} {name}: {', '.join(each[name])}")
        click.echo(f"  {each['domain']} touches:")
        show_touched(each["touched"])
    if found["signers"]:
        click.echo(f"  signers from then on: {found['signers']}")


def _show_differences(before: FederationList | None, after: FederationList) -> None:
    from dataclasses import asdict

    from federation.membership_changes import differences

    for each in differences(before, after):
        click.echo(f"  {_difference(asdict(each))}")
    if after.emergency is not None:
        click.echo(f"  emergency, reviewed by {after.emergency.review_by:%Y-%m-%d}: {after.emergency.reason}")


def _difference(each: dict[str, Any]) -> str:
    name = " ".join(part for part in (each["domain"], each["what"].replace("_", " ")) if part)
    return f"{name}: {each['before'] or 'nothing'} -> {each['after'] or 'nothing'}"
