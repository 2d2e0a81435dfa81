"""`esanum evidence`: whether the vault is open, and the copy of its keys."""

from __future__ import annotations

from pathlib import Path

import click

from instance.cli.tools import Context, Failure, who


@click.group()
def evidence() -> None:
    """What applicants have shown; nobody sees any of it here."""


@evidence.command()
@click.pass_obj
def show(context: Context) -> None:
    """Say whether evidence can be taken and shown, and what is to be mended."""
    report = context.run("evidence.show")
    for finding in report["findings"]:
        click.echo(f"- {finding}")
    if report["findings"]:
        raise Failure("the evidence vault needs mending")
    click.echo("the evidence vault is open")


@evidence.command("backup-keys")
@click.argument("target", type=click.Path(path_type=Path))
@click.pass_obj
def back_up_keys(context: Context, target: Path) -> None:
    """Write the wrapped keys to TARGET, apart from every copy of the evidence; delete it after a week."""
    if target.exists():
        raise Failure(f"{target} is already there; nothing was written")
    context.run("evidence.back_up_keys", target=str(target.resolve()), by=who())
    click.echo(f"{target} written. Delete it after seven days, and keep it apart from the evidence.")
