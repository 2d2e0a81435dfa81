"""`esanum doctors`, `esanum credentials` and `esanum keys`."""

from __future__ import annotations

from typing import Any

import click

from instance.cli.tools import Context, Failure, show_json, show_table, who

_reason = click.option("--reason", required=True, help="Why; it is kept with the act.")


@click.group()
def doctors() -> None:
    """The doctors of this instance."""


@doctors.command("list")
@click.pass_obj
def list_doctors(context: Context) -> None:
    """List the doctors of this instance with their standing."""
    show_table(
        context.run("doctors.list"), ("handle", "role", "country", "standing", "valid_until"),
        empty="No doctor yet: whoever applies is judged by reviewers.",
    )  # fmt: skip


@doctors.command()
@click.argument("handle")
@_reason
@click.pass_obj
def suspend(context: Context, handle: str, reason: str) -> None:
    """Take HANDLE's standing away at once, here and at every sibling; not where there is a dossier."""
    context.run("doctors.suspend", handle=handle, by=who(), reason=reason)
    click.echo(f"{handle} is suspended; siblings are being told.")


@doctors.command()
@click.argument("handle")
@_reason
@click.pass_obj
def reinstate(context: Context, handle: str, reason: str) -> None:
    """Give HANDLE's standing back."""
    context.run("doctors.reinstate", handle=handle, by=who(), reason=reason)
    click.echo(f"{handle} is in good standing again; siblings are being told.")


@click.group()
def credentials() -> None:
    """The credentials of the doctors of this instance."""


@credentials.command("renew")
@click.option("--country", default="", metavar="CC", help="Only those for this country (ISO 3166).")
@click.option("--all", "all_", is_flag=True, help="Also those that the issuer key in force has signed.")
@click.option("--signed-with", default="", metavar="KEY", help="Only those that this public key (z6Mk…) has signed.")
@_reason
@click.pass_obj
def renew(context: Context, country: str, all_: bool, signed_with: str, reason: str) -> None:
    """Issue credentials anew, and tell every sibling: those that the issuer key in force has not signed.

    Whatever interrupts it, the same command goes on where it was.
    """
    done = context.run_long(
        "credentials.renew", "credentials.progress", _show_renewed, country=country, all=all_, signed_with=signed_with,
        by=who(), reason=reason,
    )  # fmt: skip
    click.echo(
        f"{done['renewed']} credentials were issued anew; siblings are being told. {done['kept']} stay as they are."
    )
    if done["failed"]:
        click.echo(f"{done['failed']} could not be issued; the log names them (not_renewed).")


def _show_renewed(progress: Any) -> None:
    seen = progress["renewed"] + progress["kept"] + progress["failed"]
    if progress["of"]:
        click.echo(f"  {100 * seen // progress['of']:3} %  {progress['renewed']} issued", err=True)


@click.group()
def keys() -> None:
    """The keys of this instance and its doctors."""


@keys.command("show")
@click.pass_obj
def show_keys(context: Context) -> None:
    """Show the public keys and fingerprints, as siblings pin them."""
    show_json(context.run("keys.show"))


@keys.command("rotate")
@click.argument("handle")
@_reason
@click.pass_obj
def rotate_keys(context: Context, handle: str, reason: str) -> None:
    """Give HANDLE new message keys, with overlap, and tell the siblings."""
    context.run("keys.rotate", handle=handle, by=who(), reason=reason)
    click.echo(f"{handle} has new keys; they sign in ten minutes, the old ones are dropped in 24 hours.")


@keys.command("rotate-instance")
@click.option(
    "--days", type=click.IntRange(0, 30), default=1, show_default=True,
    help="How long siblings have to compare before the new keys sign; 0 means ten minutes.",
)  # fmt: skip
@_reason
@click.pass_obj
def rotate_instance(context: Context, days: int, reason: str) -> None:
    """Give the instance itself new message keys, with overlap, and tell the siblings, who must pin them."""
    made = context.run("keys.rotate_instance", days=days, by=who(), reason=reason)
    signs, drops = (made[name][:16].replace("T", " ") for name in ("signs_at", "drops_at"))
    click.echo(f"The new keys sign from {signs} UTC; the old ones are dropped at {drops} UTC.")
    click.echo("Until then tell every sibling's administrator, by another way, the fingerprint that")
    click.echo(f"`esanum siblings repin {context.config.origin}` shows there:\n  {made['fingerprint']}")


@keys.command("rotate-kek")
@_reason
@click.pass_obj
def rotate_kek(context: Context, reason: str) -> None:
    """Seal every private key and every key of evidence anew under another key; one that was interrupted goes on."""
    done = context.run("keys.rotate_kek", by=who(), reason=reason)
    click.echo(f"{done['pairs']} private keys sealed anew; 0 left under the old key.")
    if done["others"]:
        click.echo(f"{done['others']} other sealed secrets were sealed anew as well.")
    if "keys" in done["evidence"]:
        click.echo(f"{done['evidence']['keys']} keys of evidence wrapped anew; 0 left under the old key.")
    elif "closed" in done["evidence"]:
        click.echo(f"evidence_kek is as it was: the vault is closed ({done['evidence']['closed']}).")
    for left in filter(None, (done["left_behind"], done["evidence"].get("left_behind"))):
        click.echo(f"{left} is needed no more: take it out of the unit of the service.")
    if "fault" in done["evidence"]:
        raise Failure(f"evidence_kek: {done['evidence']['fault']}")
    click.echo("Back the secrets up now. Back-ups of the database made before need the key of their time.")
