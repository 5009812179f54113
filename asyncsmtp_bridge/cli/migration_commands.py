"""The commands of a migration and their options, as typer declares them: ``scan``, ``facade``, ``migrate``.

Owns names, defaults, help and what is a usage error. What a command does is in a module of its own, imported when the
command runs.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from .program import app, paragraphs


@app.command(
    help=paragraphs(
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
    help=paragraphs(
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
    help=paragraphs(
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
