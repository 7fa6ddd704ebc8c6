"""Manual pages in the man(7) language, from the same commands and options as --help.

The build of a wheel writes them (hatch_build.py), so that they are installed in share/man/man1.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attn_cli import __version__
from attn_cli.cli.app import build
from attn_cli.cli.help_text import description_of, examples_of, summary_of
from attn_cli.errors import ExitStatus

_STATUSES = {
    ExitStatus.OK: "Done.",
    ExitStatus.BUG: "A bug in attn; please report it.",
    ExitStatus.USAGE: "Wrong usage, or a wrong recipe.",
    ExitStatus.BAD_DATA: "Bad input data.",
    ExitStatus.BAD_MODEL: "A model is missing, damaged or unfit.",
    ExitStatus.TRAINING: "Training, or a cluster, could not continue.",
    ExitStatus.INTERRUPTED: "Interrupted (^C); training can be resumed.",
    ExitStatus.TERMINATED: "Terminated (SIGTERM); training can be resumed.",
}

_VARIABLES = {
    "ATTN_MODEL": "The default of --model.",
    "ATTN_HOME": "The folder of the user's models and of caches.",
    "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CACHE_HOME": "The folders of all programs: "
    "config.toml, models and caches of attn are in their folders attn.",
    "NO_COLOR, FORCE_COLOR, CLICOLOR, CLICOLOR_FORCE": "Whether to write colors, as --color does.",
    "COLUMNS": "The width of tables; else that of the terminal, else 80.",
}

_CONFIG = "Defaults: model, color and threads, as the options of these names. TOML."


def pages() -> dict[str, str]:
    """Return every manual page by the name of its file: attn.1, attn-translate.1, …"""
    import typer

    program = typer.main.get_command(build())
    return {f"{name}.1": _page(name, context) for name, context in _commands(program, "attn", None)}


def _commands(command: Any, name: str, parent: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and the context of a command and of all below it."""
    own_name = name.rpartition("-")[2]
    context = command.context_class(
        command, info_name=own_name, parent=parent, **command.context_settings
    )
    yield name, context
    if hasattr(command, "list_commands"):
        for each in command.list_commands(context):
            yield from _commands(command.get_command(context, each), f"{name}-{each}", context)


def _page(name: str, context: Any) -> str:
    command = context.command
    summary = summary_of(command)
    lines = [
        f'.TH {_text(name.upper())} 1 "" "attn {__version__}" "User Commands"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(summary[:1].lower() + summary[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(context.command_path)}",
        _text(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
    ]
    for paragraph in description_of(command).split("\n\n"):
        lines += [".PP", _text(" ".join(paragraph.split()))]
    sections: dict[str, list[tuple[str, str]]] = {"ARGUMENTS": [], "OPTIONS": []}
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            is_argument = parameter.param_type_name == "argument"
            sections["ARGUMENTS" if is_argument else "OPTIONS"].append(record)
    if hasattr(command, "list_commands"):
        sections["COMMANDS"] = [
            (f"{name}-{each}(1)", summary_of(command.get_command(context, each)))
            for each in command.list_commands(context)
        ]
    sections["EXIT STATUS"] = [(str(int(each)), text) for each, text in _STATUSES.items()]
    sections["ENVIRONMENT"] = list(_VARIABLES.items())
    for heading, records in sections.items():
        lines += [f".SH {heading}"] if records else []
        for term, text in records:
            lines += [".TP", f".B {_text(term)}", _text(" ".join(text.split()))]
    lines += [".SH FILES", ".TP", ".B ~/.config/attn/config.toml", _text(_CONFIG)]
    if examples := examples_of(command):
        lines += [".SH EXAMPLES", ".nf", *map(_text, examples), ".fi"]
    if context.parent is not None:
        lines += [".SH SEE ALSO", ".BR attn (1)"]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Return the text with what roff would read as its own escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = text.replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    text = "".join(sign if sign.isascii() else f"\\[u{ord(sign):04X}]" for sign in text)
    return f"\\&{text}" if text.startswith(".") else text


def write_pages(folder: Path) -> list[Path]:
    """Write all pages into a folder, created if it is missing; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        files.append(folder / name)
    return files
