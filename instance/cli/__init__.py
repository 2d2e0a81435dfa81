"""The command line, `esanum`. Commands import what they run when they run it, so that `--help` is quick."""

from __future__ import annotations

import os
import sys

import click

from instance.cli.deliveries import deliveries
from instance.cli.evidence import evidence
from instance.cli.federation_list import federation_list
from instance.cli.messages import messages
from instance.cli.people import credentials, doctors, keys
from instance.cli.policy import policy
from instance.cli.records import audit, registers
from instance.cli.run import backup, check, demo, init, serve, version, work
from instance.cli.siblings import siblings
from instance.cli.staff import staff
from instance.cli.tools import Context, Failure


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config", "-c", "path", default="esanum.toml", show_default=True, type=click.Path(dir_okay=False),
    help="The configuration file of the instance.",
)  # fmt: skip
@click.pass_context
def esanum(context: click.Context, path: str) -> None:
    """One country's server in the federation of verified doctors."""
    context.obj = Context(path)


_COMMANDS = (
    init, serve, work, check, version, demo, backup, evidence, siblings, doctors, credentials, staff, policy,
    registers, deliveries, messages, keys, audit, federation_list,
)  # fmt: skip
for command in _COMMANDS:
    esanum.add_command(command)


def main() -> None:
    """Run a command; a failure is one sentence and exit status 1, never a trace."""
    try:
        esanum(standalone_mode=False)
    except Failure as failure:
        click.echo(f"esanum: {failure}", err=True)
        sys.exit(1)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.Abort:
        click.echo("esanum: stopped; nothing was changed", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`esanum … | head`); nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        click.echo(f"esanum: {error.filename or 'the system'}: {error.strerror or type(error).__name__}", err=True)
        sys.exit(1)
    except Exception as fault:
        from instance.log import where

        click.echo(f"esanum: a defect in this program: {type(fault).__name__} in {where(fault)}", err=True)
        sys.exit(1)
