"""The program: what all commands have in common, as typer declares it.

Owns its name, ``--version``, and how help is written. It does not know the commands.
"""

from __future__ import annotations

import inspect
import platform
from importlib import metadata
from typing import Annotated

import typer


def paragraphs(text: str) -> str:
    """Return help of which the lines are broken by the terminal, not by the source."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


app = typer.Typer(
    name="asyncsmtp-bridge",
    help="Await your existing smtplib code: see what it gains, and send real messages.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        version = metadata.version("asyncsmtp_bridge")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    typer.echo(f"asyncsmtp-bridge {version}, Python {platform.python_version()}")
    raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Await your existing smtplib code: see what it gains, and send real messages."""
