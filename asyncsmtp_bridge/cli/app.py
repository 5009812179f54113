"""The commands and their options, as typer declares them.

Owns names, defaults, help and what is a usage error. What a command does is in a module of its own, imported when the
command runs.
"""

from __future__ import annotations

import inspect
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from ..executor import BoundedExecutor
from .interrupt import EXIT_STATUS

LONGEST_TIMEOUT = 24 * 60 * 60.0


def _paragraphs(text: str) -> str:
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


@app.command(
    help=_paragraphs(
        """Show what a blocked event loop costs. Nothing to set up.

        Starts an SMTP server inside this process, sends it a few hundred messages as a legacy codebase does, and again
        bridged, and compares. Takes a few seconds; nothing leaves this machine.
        """
    )
)
def demo() -> None:
    """Run `asyncsmtp_bridge.cli.demo`."""
    from .demo import run_demo

    raise typer.Exit(run_demo(_executor(None)))


@app.command(
    help=_paragraphs(
        """Send message files, several at once.

        Each goes to the sender and recipients that its header names, exactly as smtplib's send_message() would send it,
        and never twice. Failures are listed on stderr.

        Exit status: 0 if every message was accepted for every recipient, 1 if not, 2 for wrong usage, 130 after Ctrl-C
        (which lets messages under way finish; a second one ends at once).
        """
    )
)
def send(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Message files, and folders: their *.eml files and those of subfolders, without hidden ones. A file "
            "named twice is sent once.",
            show_default=False,
        ),
    ],
    host: Annotated[str, typer.Option(help="The server's name or address.")] = "localhost",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The server's port.")] = 25,
    demo_server: Annotated[
        bool, typer.Option("--demo-server", help="Send to a server that is started for this, and throws all away.")
    ] = False,
    executor_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="THREADS",
            help="How many messages are under way at once, each on a connection of its own. Default: "
            "$ASYNCSMTP_BRIDGE_EXECUTOR_SIZE, else 8.",
            show_default=False,
        ),
    ] = None,
    starttls: Annotated[
        bool, typer.Option("--starttls", help="Encrypt, and do not send unless the certificate is valid.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long the server may take to answer any one command."),
    ] = 30.0,
    from_addr: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ADDRESS",
            help="The envelope's sender, in place of the messages' own. \"<>\": none, as for bounces.",
            show_default=False,
        ),
    ] = None,
    to_addrs: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="A recipient of the envelope, in place of the messages' own. May be repeated.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout, and nothing else.")] = False,
) -> None:
    """Run `asyncsmtp_bridge.cli.send`."""
    if demo_server:
        for name in ("host", "port", "starttls"):
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise typer.BadParameter(f"--demo-server has a server of its own; leave out --{name}")
    if not host:
        raise typer.BadParameter("a name or an address", param_hint="'--host'")
    if re.fullmatch(r"[^:]+:\d+", host):
        raise typer.BadParameter(f"{host!r}: the port goes into --port", param_hint="'--host'")
    if not 0 < timeout <= LONGEST_TIMEOUT:
        raise typer.BadParameter("more than 0 seconds, and a day at most", param_hint="'--timeout'")
    sender = None if from_addr is None else _address(from_addr, "--from", or_null=True)
    recipients = [_address(recipient, "--to") for recipient in to_addrs or ()]

    try:
        from .reach import Server
        from .send import send as run_send

        status = run_send(
            paths,
            Server(host, port, timeout, starttls),
            _executor(executor_size),
            from_addr=sender,
            to_addrs=recipients,
            demo_server=demo_server,
            json=json,
        )
    except KeyboardInterrupt:  # before anything was begun, or after everything was said
        status = EXIT_STATUS
    raise typer.Exit(status)


def _executor(size: int | None) -> BoundedExecutor:
    try:
        return BoundedExecutor(size, name="asyncsmtp-cli")
    except ValueError as error:  # that of $ASYNCSMTP_BRIDGE_EXECUTOR_SIZE
        raise typer.BadParameter(str(error)) from error


def _address(text: str, option: str, *, or_null: bool = False) -> str:
    """Return the address in what was given for an option."""
    if or_null and text.strip() in ("", "<>"):
        return ""
    found = re.fullmatch(r"\s*(?:[^<>]*<([^\s<>]+)>|([^\s<>]+))\s*", text)
    if found is None:
        raise typer.BadParameter(f"no address: {text!r}", param_hint=f"'{option}'")
    address = found[1] or found[2]
    if not address.isascii():
        raise typer.BadParameter(f"not ASCII: {text!r}", param_hint=f"'{option}'")
    return address
