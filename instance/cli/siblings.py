"""`esanum siblings`: who may speak with this instance."""

from __future__ import annotations

from typing import Any

import click

from instance.cli.tools import Context, Failure, show_json, show_table, show_touched, who

_reason = click.option("--reason", required=True, help="Why; it is kept with the change.")
#: Why a pairing is declined, as pages offer it.
REASONS = ("not_agreed", "unknown", "other_fingerprint", "later", "mistake")
_countries = click.option(
    "--country", "countries", multiple=True,
    help="A country for which it may vouch (may be repeated); by default its own.",
)  # fmt: skip
_fingerprint = click.option(
    "--fingerprint", help="The fingerprint you compared with its administrator; otherwise you are asked."
)
_alone = click.option(
    "--alone", is_flag=True, help="Without a second administrator, where it cannot wait; every one of them is told."
)
_yes = click.option("--yes", is_flag=True, help="Do not ask; the preview is still shown.")

_PROPOSED = "Proposed: nothing is open yet. Another administrator confirms it at {path}, within seven days."


@click.group()
def siblings() -> None:
    """Admit, pause, resume and remove the instances this one speaks with, and pin their keys."""


@siblings.command()
@click.argument("host")
@click.pass_obj
def invite(context: Context, host: str) -> None:
    """Read HOST's instance actor once, and ask its administrator to become siblings; both sides confirm."""
    found = context.run("siblings.invite", origin=host, by=who())
    _show_pairing(found)
    click.echo(f"{found['origin']} is asked. Compare fingerprints by another way, then: esanum siblings confirm {host}")


@siblings.command()
@click.option("--json", "as_json", is_flag=True, help="For another program.")
@click.pass_obj
def requests(context: Context, as_json: bool) -> None:
    """List invitations and requests that wait, and those that are over."""
    rows = context.run("siblings.requests")
    if as_json:
        show_json(rows)
        return
    show_table(
        rows, ("origin", "name", "country", "state", "until", "reason", "last_code"),
        empty="Nobody is invited, and nobody asks.",
    )  # fmt: skip


@siblings.command()
@click.argument("host")
@_countries
@_fingerprint
@_alone
@click.pass_obj
def confirm(
    context: Context, host: str, countries: tuple[str, ...], fingerprint: str | None, *, alone: bool
) -> None:  # fmt: skip
    """Show what HOST's instance actor says, and confirm its fingerprint; once both sides have, it is a sibling.

    Where this instance has two administrators, one of them confirms it after you, at the page.
    """
    shown = context.run("siblings.read", origin=host, by=who())
    _show_pairing(shown)
    compared = _compared(fingerprint)
    after = context.run(
        "siblings.confirm", origin=host, fingerprint=compared, countries=list(countries), by=who(), alone=alone
    )
    origin, state = after["origin"], after["state"]
    said = {"active": f"{origin} is a sibling now.", "confirmed_here": f"Confirmed here; {origin} has to as well."}
    click.echo(said.get(state, _PROPOSED.format(path="/administration/pairing")))


@siblings.command()
@click.argument("host")
@click.option("--reason", required=True, type=click.Choice(REASONS), help="Why; it stays here.")
@click.pass_obj
def decline(context: Context, host: str, reason: str) -> None:
    """Decline HOST's request, or take an invitation back; the other side learns that it is over."""
    after = context.run("siblings.decline", origin=host, reason=reason, by=who())
    click.echo(f"{after['origin']}: {after['state']}.")


@siblings.command()
@click.argument("origin")
@_countries
@_fingerprint
@_reason
@_alone
@click.pass_obj
def add(
    context: Context, origin: str, countries: tuple[str, ...], fingerprint: str | None, reason: str, *, alone: bool
) -> None:  # fmt: skip
    """Read ORIGIN's instance actor once, show its fingerprint, and admit it when you have confirmed it.

    For the operator of an instance that has no two administrators; where it has, `invite`, or --alone.
    """
    found = context.run("siblings.look_up", origin=origin)
    wanted = list(countries) or [found["country"]]
    _show_candidate(found, wanted)
    compared = _compared(fingerprint, found, "stored")
    entry = context.run(
        "siblings.add", found=found, fingerprint=compared, countries=wanted, by=who(), reason=reason, alone=alone
    )  # fmt: skip
    click.echo(f"{entry['origin']} is a sibling now.")


@siblings.command()
@click.argument("origin")
@_fingerprint
@_reason
@_yes
@click.pass_obj
def repin(context: Context, origin: str, fingerprint: str | None, reason: str, yes: bool) -> None:
    """Read ORIGIN's instance actor once, show its keys beside the pinned ones, and pin those when you have compared."""
    shown = context.run("siblings.compare", origin=origin)
    found = shown["found"]
    _show_candidate({**found, "contact": shown["contact"]}, [])
    if found["contact"] != shown["contact"]:
        click.echo(f"  says now     contact {found['contact'] or 'not said'}: ask the one above")
    click.echo(f"  pinned now   {shown['pinned']}")
    for mark, keys in (("new", shown["new"]), ("gone", shown["gone"])):
        for key in keys:
            click.echo(f"  {mark:<11}  {key}")
    compared = _compared(fingerprint, found, "changed") if fingerprint or shown["new"] else ""
    if not compared and not yes:
        click.confirm("Go on?", abort=True)
    context.run("siblings.repin", found=found, fingerprint=compared, by=who(), reason=reason)
    click.echo(f"{origin}: what it shows is pinned now.")


@siblings.command()
@click.argument("origin")
@_reason
@_yes
@click.pass_obj
def pause(context: Context, origin: str, reason: str, yes: bool) -> None:
    """Stop all exchange with ORIGIN; deliveries wait, nothing is lost."""
    _change(context, origin, "pause", reason, yes)


@siblings.command()
@click.argument("origin")
@_reason
@_alone
@_yes
@click.pass_obj
def resume(context: Context, origin: str, reason: str, *, alone: bool, yes: bool) -> None:
    """Speak with ORIGIN again; what waited is sent in order.

    Where this instance has two administrators it is proposed, and one of them confirms it at the page.
    """
    _change(context, origin, "inherit", reason, yes, alone=alone)


@siblings.command()
@click.argument("origin")
@_reason
@_yes
@click.pass_obj
def remove(context: Context, origin: str, reason: str, yes: bool) -> None:
    """Take ORIGIN off the allowlist; its queue is dropped and its keys forgotten."""
    _preview(context, origin, "remove", yes)
    context.run("siblings.remove", origin=origin, by=who(), reason=reason)
    click.echo(f"{origin} is no longer a sibling.")


@siblings.command("list")
@click.option("--json", "as_json", is_flag=True, help="For another program.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the allowlist."""
    rows = context.run("siblings.list")
    if as_json:
        show_json(rows)
        return
    show_table(
        rows, ("origin", "country", "policy", "since", "last_in", "last_out", "waiting"),
        empty="No sibling: this instance speaks with nobody.",
    )  # fmt: skip


@siblings.command()
@click.argument("origin")
@click.pass_obj
def show(context: Context, origin: str) -> None:
    """Show one entry, its queue, and every change made to it."""
    show_json(context.run("siblings.show", origin=origin))


@siblings.command()
@click.argument("origin")
@click.option("--json", "as_json", is_flag=True, help="For another program.")
@click.pass_obj
def refusals(context: Context, origin: str, as_json: bool) -> None:
    """Ask ORIGIN what it refused to this instance in the last seven days, and why."""
    rows = context.run("siblings.refusals", origin=origin)
    if as_json:
        show_json(rows)
        return
    show_table(
        rows, ("at", "direction", "code", "activity", "key_id", "more"), empty=f"{origin} has refused nothing to us."
    )


def _change(context: Context, origin: str, policy: str, reason: str, yes: bool, *, alone: bool = False) -> None:
    _preview(context, origin, policy, yes)
    entry = context.run("siblings.set_policy", origin=origin, policy=policy, by=who(), reason=reason, alone=alone)
    done = entry["policy"] == policy
    click.echo(f"{origin}: policy is now {policy}." if done else _PROPOSED.format(path="/administration/siblings"))


def _preview(context: Context, origin: str, change: str, yes: bool) -> None:
    touched = context.run("siblings.preview", origin=origin, change=change)
    click.echo(f"This touches, for {origin}:")
    show_touched(touched)
    if not yes:
        click.confirm("Go on?", abort=True)


def _compared(fingerprint: str | None, found: dict[str, Any] | None = None, done: str = "") -> str:
    """Return the fingerprint that was compared, asked for where it was not given; Failure where it is not the shown."""
    text: str = fingerprint or click.prompt(
        "Ask its administrator, by another way, for the fingerprint that `esanum keys show` prints there; type it here"
    )
    compared = text.strip().lower()
    if found is not None and compared not in found["fingerprints"]:
        raise Failure(f"this is not the fingerprint it shows; nothing was {done} (fingerprint_differs)")
    return compared


def _show_pairing(found: dict[str, Any]) -> None:
    click.echo(f"{found['name']} ({found['country']}), {found['actor']}")
    click.echo(f"  software     {found['software'] or 'not said'}")
    click.echo(f"  contact      {found['contact'] or 'not said'}")
    click.echo(f"  vouches for  {', '.join(found['countries'])}")
    click.echo(f"  fingerprint  {found['fingerprint']}")
    click.echo(f"  state        {found['state']} until {found['until']}")


def _show_candidate(found: dict[str, Any], countries: list[str]) -> None:
    click.echo(f"{found['name']} ({found['country']}), {found['actor']}")
    click.echo(f"  software     {found['software'] or 'not said'}")
    click.echo(f"  contact      {found['contact'] or 'not said'}")
    if countries:
        click.echo(f"  vouches for  {', '.join(countries)}")
    for fingerprint in found["fingerprints"]:
        click.echo(f"  fingerprint  {fingerprint}")
    for key in found["issuer_keys"]:
        click.echo(f"  issuer key   {key['key']}")
