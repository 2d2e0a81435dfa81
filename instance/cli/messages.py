"""`esanum messages`: what came, what was sent, and why something was refused."""

from __future__ import annotations

import click

from instance.cli.tools import Context, show_json, show_table


@click.group()
def messages() -> None:
    """Find messages with other instances, and see why one was refused; never a body."""


@messages.command()
@click.argument("text", required=False, default="")
@click.option("--sibling", "origin", default="", help="Only those of this origin.")
@click.option("--code", default="", help="Only those that ended with this code.")
@click.option("--verdict", default="", help="Only those that became this: refused, held, dead, …")
@click.option("--direction", default="", type=click.Choice(["", "in", "out", "serve"]), help="Only those that went so.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 90), help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="For another program.")
@click.pass_obj
def find(
    context: Context, text: str, origin: str, code: str, verdict: str, direction: str, days: int, as_json: bool
) -> None:
    """List the newest fifty messages; TEXT is an activity's address, or part of one or of a key's."""
    rows = context.run(
        "messages.find", text=text, origin=origin, code=code, verdict=verdict, direction=direction, days=days
    )
    if as_json:
        show_json(rows)
        return
    show_table(
        rows, ("id", "at", "direction", "verdict", "code", "step", "origin", "type", "activity"),
        empty="No message fits.",
    )  # fmt: skip


@messages.command()
@click.argument("id")
@click.pass_obj
def show(context: Context, id: str) -> None:
    """Show one message whole but for its body: the check that refused it, key, domain, headers, what is related."""
    show_json(context.run("messages.show", id=id))
