"""The commands that open sessions and their options, as typer declares them: ``demo``, ``send``, ``check``.

Owns names, defaults, help and what is a usage error. What a command does is in a module of its own, imported when the
command runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..executor import BoundedExecutor
from .interrupt import EXIT_STATUS
from .program import app, paragraphs

LONGEST_TIMEOUT = 24 * 60 * 60.0


@app.command(
    help=paragraphs(
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
    help=paragraphs(
        """Send message files, several at once.

        Each goes to the sender and recipients that its header names, exactly as smtplib's send_message() would send it,
        and never twice. Failures are listed on stderr.

        The server is that of --url, or of --host, --port and --starttls, or else of the environment: SMTP_URL, or
        SMTP_HOST, SMTP_PORT and so on; or else localhost. A password comes from the environment (SMTP_PASSWORD, or the
        file that SMTP_PASSWORD_FILE names), or is asked for; never from the command line.

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
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The server, and how to reach it, such as smtp+starttls://user@mail.example.org:587. Without a "
            "password: see above.",
            show_default=False,
        ),
    ] = None,
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
    given = _on_the_command_line(context, "url", "host", "port", "starttls", "timeout")
    _check_servers(given, demo_server=demo_server)
    _check_paths(paths)
    if "://" in host:
        raise typer.BadParameter("a URL goes into --url", param_hint="'--host'")
    if not host:
        raise typer.BadParameter("a name or an address", param_hint="'--host'")
    if re.fullmatch(r"[^:]+:\d+", host):
        raise typer.BadParameter(f"{host!r}: the port goes into --port", param_hint="'--host'")
    if not 0 < timeout <= LONGEST_TIMEOUT:
        raise typer.BadParameter("more than 0 seconds, and a day at most", param_hint="'--timeout'")
    sender = None if from_addr is None else _address(from_addr, "--from", or_null=True)
    recipients = [_address(recipient, "--to") for recipient in to_addrs or ()]
    executor = _executor(executor_size)

    def run() -> int:
        from . import settings_given
        from .send import send as run_send

        if url is not None:
            settings = settings_given.from_url(url)
        elif not (demo_server or {"host", "port", "starttls"} & set(given)) and settings_given.is_in_environment():
            settings = settings_given.from_environment(timeout if "timeout" in given else None)
        else:
            settings = settings_given.from_options(host, port, timeout, starttls=starttls)
        return run_send(
            paths, settings, executor, from_addr=sender, to_addrs=recipients, demo_server=demo_server, json=json
        )

    raise typer.Exit(_status_of(run))


@app.command(
    help=paragraphs(
        """Try to connect and to log in, and say what works, what does not, and what to do.

        Looks the name up, tries each address, and shows what the server offers, its certificate, and how long each step
        takes. Nothing is sent but for the test mail of --send-to.

        Without a URL the settings are those of the environment: SMTP_URL, or SMTP_HOST, SMTP_PORT and so on. A password
        comes from the environment (SMTP_PASSWORD, or the file that SMTP_PASSWORD_FILE names), or is asked for; never
        from the command line.

        Exit status: 0 if it works, 1 if not, 2 for wrong usage, 130 after Ctrl-C.
        """
    ),
    context_settings={"allow_extra_args": True},  # to be refused here: what refuses them shows them
)
def check(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="The server, and how to reach it, such as smtp+starttls://user@mail.example.org:587. Without a "
            "password: see above.",
            show_default=False,
        ),
    ] = None,
    send_to: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Send a test mail to this address.", show_default=False),
    ] = None,
    from_addr: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ADDRESS",
            help="The test mail's sender. Default: the user name, if that is an address.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout, and nothing else.")] = False,
) -> None:
    """Run `asyncsmtp_bridge.cli.check`."""
    if context.args:
        raise typer.BadParameter("one URL at a time")
    if from_addr is not None and send_to is None:
        raise typer.BadParameter("--from is for a test mail, which --send-to ADDRESS sends")
    recipient = None if send_to is None else _address(send_to, "--send-to")
    sender = None if from_addr is None else _address(from_addr, "--from", or_null=True)

    def run() -> int:
        from . import settings_given
        from .check import check as run_check

        settings = settings_given.from_environment() if url is None else settings_given.from_url(url)
        return run_check(settings, send_to=recipient, from_addr=sender, json=json)

    raise typer.Exit(_status_of(run))


def _status_of(run: Callable[[], int]) -> int:
    """Run a command; say in one line what is wrong with its settings."""
    from ..settings import InvalidSettings

    try:
        return run()
    except InvalidSettings as error:
        typer.echo(f"asyncsmtp-bridge: {error}", err=True)
        return 2
    except KeyboardInterrupt:  # before anything was begun, or after everything was said
        return EXIT_STATUS


def _on_the_command_line(context: typer.Context, *names: str) -> list[str]:
    """Return those options that somebody gave."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _check_servers(given: Sequence[str], *, demo_server: bool) -> None:
    """Refuse options of which each names a server."""
    for name in given:
        if demo_server and name != "timeout":
            raise typer.BadParameter(f"--demo-server has a server of its own; leave out --{name}")
        if "url" in given and name != "url":
            hint = "; there it is the parameter ?timeout=" if name == "timeout" else ""
            raise typer.BadParameter(f"--url says all about the server{hint}; leave out --{name}, or --url")


def _check_paths(paths: Sequence[Path]) -> None:
    for path in paths:
        if re.match(r"(smtp|lmtp)[a-z+]*:/", str(path), re.IGNORECASE):  # a Path has one slash of it
            raise typer.BadParameter("a URL goes into --url, and a PATH is a file's or a folder's", param_hint="'PATH'")


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
