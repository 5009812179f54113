"""The commands and their options, as typer declares them.

Owns names, defaults, help and what is a usage error. What a command does is in a module of its own, imported when the
command runs.
"""

from __future__ import annotations

import inspect
import keyword
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


@app.command(
    help=_paragraphs(
        """Find the calls in your source that block an event loop.

        Names each call of smtplib in an async function, and each call from one of a function that comes to smtplib,
        with the way to mend it. Runs nothing of what it reads.

        Exit status: 0 if nothing (or with --baseline nothing new) was found, 1 if something was, or a file could not be
        read, 2 for wrong usage.
        """
    )
)
def scan(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Python files, and folders: their *.py files and those of subfolders, without hidden ones, virtual "
            "environments and what was built or installed. Give the whole project: calls are followed through it.",
            show_default=False,
        ),
    ],
    wrapper: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="A class or function that blocks and is not in the source given, such as corp.mail:CorpMailer. May be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Files and folders to leave out, by name, or with a slash by path. May be repeated.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="text|json|sarif|github",
            help="What to write to stdout: lines for people, one JSON document, one SARIF log, or annotations of a "
            "GitHub workflow. Default: text.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What is known already: only what is new counts.", show_default=False),
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write what is found now to the --baseline.")
    ] = False,
) -> None:
    """Run `asyncsmtp_bridge.cli.scan`."""
    from .scan import Format
    from .scan import scan as run_scan

    formats = [each.value for each in Format]
    if output is not None and output not in formats:
        raise typer.BadParameter(f"{output!r}: one of {', '.join(formats)}", param_hint="'--format'")
    if json and output not in (None, "json"):
        raise typer.BadParameter(f"--json and --format {output}: choose one")
    if update_baseline and baseline is None:
        raise typer.BadParameter("--update-baseline needs --baseline FILE, to be written")
    status = run_scan(
        paths,
        wrappers=wrapper or (),
        exclude=exclude or (),
        output=Format.JSON if json else Format(output or "text"),
        baseline=baseline,
        update=update_baseline,
    )
    raise typer.Exit(status)


@app.command(
    help=_paragraphs(
        """Write a typed face for a wrapper: a class with a line for each of its methods, to be awaited.

        The file is for you to read and to commit. Run it again after the wrapper has changed; with --check in CI it
        says that this was forgotten.

        Exit status: 0; 1 if --check finds that the file is not what would be written; 2 for wrong usage, a wrapper that
        cannot be read among it.
        """
    )
)
def facade(
    wrapper: Annotated[
        str,
        typer.Argument(metavar="MODULE:CLASS", help="The wrapper, such as corp.mail:CorpMailer.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write it; without it, to stdout. A file that this command has not written is left alone.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show what in FILE is not as it would be written.")
    ] = False,
    static: Annotated[
        bool, typer.Option("--static", help="Read the source of the wrapper and of its bases, and import nothing.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call the face. Default: Async and the class's.", show_default=False),
    ] = None,
    awaitable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROPERTY",
            help="A property that blocks when it is read, and is to be awaited. May be repeated.",
            show_default=False,
        ),
    ] = None,
    search_path: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Where modules are looked for, before the current folder and Python's own path. May be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run `asyncsmtp_bridge.cli.facade`."""
    if re.fullmatch(r"\w+(\.\w+)*:\w+(\.\w+)*", wrapper) is None:
        raise typer.BadParameter(f"{wrapper!r}: a module and a class, as in corp.mail:CorpMailer")
    if check and output is None:
        raise typer.BadParameter("--check needs -o FILE, to compare with")
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise typer.BadParameter(f"{name!r} is no name for a class", param_hint="'--name'")

    from .facade import facade as run_facade

    status = run_facade(
        wrapper,
        output,
        check=check,
        static=static,
        name=name or "",
        awaitable=awaitable or (),
        search_path=search_path or (),
    )
    raise typer.Exit(status)


@app.command(
    help=_paragraphs(
        """Make coroutines await their mail: the edits, shown as a diff, or made with --write.

        In coroutine functions, sessions of smtplib become AsyncSMTP and its kin, and calls of functions and objects
        that send mail go through a bridge. The rest of a file stays as it is, to the letter. What cannot be edited
        safely is left, and listed with the reason. The diff goes to stdout, for patch -p1 and git apply; with --write,
        the names of the files that were changed do. Everything else goes to stderr. A second run finds nothing more to
        edit.

        Exit status: 0 if everything that blocks was edited, or shown how, or nothing does; 1 if something is left, or a
        file could not be read or written; 2 for wrong usage. To keep blocking calls out in CI, use scan.
        """
    )
)
def migrate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Python files, and folders: their *.py files and those of subfolders, without hidden ones, virtual "
            "environments and what was built or installed. Give the whole project: calls are followed through it.",
            show_default=False,
        ),
    ],
    write: Annotated[bool, typer.Option("--write", help="Write the files. Without it, nothing is written.")] = False,
    wrapper: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="A class or function that blocks and is not in the source given, such as corp.mail:CorpMailer. May be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Files and folders to leave out, by name, or with a slash by path. May be repeated.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout, and nothing else.")] = False,
) -> None:
    """Run `asyncsmtp_bridge.cli.migrate`."""
    from .migrate import migrate as run_migrate

    status = run_migrate(paths, wrappers=wrapper or (), exclude=exclude or (), write=write, json=json)
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
