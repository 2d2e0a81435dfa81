"""`esanum staff`: who works here, and how somebody is asked to."""

from __future__ import annotations

import click

from instance.cli.tools import Context, show_table, who

#: Written out, so that `--help` reads nothing of the medical room; a test holds it against the roles there are.
ROLES = ("reviewer", "lead", "moderator", "administrator", "governor", "dpo", "editor")


@click.group()
def staff() -> None:
    """Reviewers, moderators, administrators and the others who work here."""


@staff.command("invite")
@click.argument("email")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="May be repeated.")
@click.option("--country", "countries", multiple=True, help="Whose dossiers they see (ISO 3166); may be repeated.")
@click.option("--site", "sites", multiple=True, help="Where they work, as a short name; may be repeated.")
@click.option(
    "--former", default="", help="The id (staff-…) of somebody who has left and comes back as the same person."
)
@click.pass_obj
def invite(context: Context, /, email: str, former: str, **values: tuple[str, ...]) -> None:
    """Invite EMAIL. The link is shown once, works once and for seven days; send it yourself, by a way you trust."""
    asked = {name: list(each) for name, each in values.items()}
    made = context.run("staff.invite", email=email, former=former, by=who(), **asked)
    click.echo(f"{made['link']}\n  until  {made['expires_at'][:16].replace('T', ' ')} UTC")


@staff.command("list")
@click.pass_obj
def list_staff(context: Context) -> None:
    """List who works here, and the invitations that wait."""
    found = context.run("staff.list")
    show_table(
        found["staff"], ("id", "login", "roles", "countries", "sites", "has_factor"),
        empty="Nobody works here yet; invite somebody with `esanum staff invite`.",
    )  # fmt: skip
    if found["invitations"]:
        click.echo()
        show_table(found["invitations"], ("id", "email", "roles", "countries", "expires_at"), empty="")


@staff.command("end")
@click.argument("id")
@click.option("--reason", required=True, help="Why; it is kept with the act.")
@click.option("--force", is_flag=True, help="Also the last administrator; the next one is invited from here.")
@click.pass_obj
def end(context: Context, id: str, reason: str, force: bool) -> None:
    """Take every role from the member of staff ID (staff-…); their sessions end at once."""
    context.run("staff.end", id=id, by=who(), reason=reason, force=force)
    click.echo(f"{id} is no longer staff; every session of theirs has ended.")


@staff.command("withdraw")
@click.argument("id")
@click.pass_obj
def withdraw(context: Context, id: str) -> None:
    """Take back the invitation ID that nobody has accepted yet."""
    context.run("staff.withdraw", id=id, by=who())
    click.echo(f"{id} is withdrawn; its link opens nothing any more.")


@staff.command("reset-factors")
@click.argument("login")
@click.option("--reason", required=True, help="Why; it is kept with the act.")
@click.pass_obj
def reset_factors(context: Context, login: str, reason: str) -> None:
    """Take every second factor of the account LOGIN, also a doctor's, whose owner has lost them and every code.

    For staff it prints a link, this once: under it they add the next factor, once and within seven days. Staff who have
    never had a factor and no invitation that waits get theirs in the same way.
    """
    made = context.run("staff.reset_factors", login=login, by=who(), reason=reason)
    click.echo(f"{login} has no second factor any more, and is signed out.")
    if made["link"]:
        click.echo(f"{made['link']}\n  adds the next one, after the password; send it by a way you trust")


@staff.command("send-recovery")
@click.argument("login")
@click.option("--reason", required=True, help="Why; it is kept with the act.")
@click.pass_obj
def send_recovery(context: Context, login: str, reason: str) -> None:
    """Send a code for a new password to the confirmed address of the account LOGIN, also a doctor's.

    For an owner who is kept from asking for one: others use up what an address gets in a day. The code is in the mail
    alone; it holds for 15 minutes and once, in every browser.
    """
    context.run("staff.send_recovery", login=login, by=who(), reason=reason)
    click.echo(f"A code is on its way to the confirmed address of {login}; it is typed under /recover/team.")
