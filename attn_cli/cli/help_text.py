"""What --help prints: the text, the options, whole summaries of the commands, examples.

The docstring of a command is the source of its help and of its man page. Its part from `Examples:`
on is written as it stands, one command a line.
"""

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from attn_cli.cli.options import console_of

_EXAMPLES = "\n\nExamples:\n"


def description_of(command: Any) -> str:
    """Return the help of a command, paragraph by paragraph, without its examples."""
    return inspect.cleandoc(command.help or "").partition(_EXAMPLES)[0]


def examples_of(command: Any) -> list[str]:
    """Return the examples of a command, a line each; a comment may follow a `#`."""
    text = inspect.cleandoc(command.help or "").partition(_EXAMPLES)[2]
    return inspect.cleandoc(text).splitlines()


def summary_of(command: Any) -> str:
    """Return the first paragraph of a command's help, as one line."""
    return " ".join(description_of(command).partition("\n\n")[0].split())


class _Examples:
    """Writes the examples after the options."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(description_of(self))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if examples := examples_of(self):
            with formatter.section("Examples"):
                for line in examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class HelpCommand(_Examples, TyperCommand):
    """A command whose help ends with its examples."""

    def get_help_option(self, ctx: Any) -> Any:
        return _on_console(super().get_help_option(ctx))


class HelpGroup(_Examples, TyperGroup):
    """A group whose list of commands gives their whole summaries, wrapped rather than cut."""

    def get_help_option(self, ctx: Any) -> Any:
        return _on_console(super().get_help_option(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, summary_of(each)) for name, each in commands if each and not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class HelpTyper(typer.Typer):
    """A Typer application whose commands are `HelpCommand`."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a command, as `typer.Typer.command` does."""
        return super().command(name, cls=HelpCommand, **settings)


def _on_console(option: Any) -> Any:
    """The help option, writing to the console, which reports what stdout does not take."""
    if option is not None:
        option.callback = _write_help
    return option


def _write_help(context: Any, option: Any, is_set: bool) -> None:
    if is_set and not context.resilient_parsing:
        console_of(context).write(context.get_help() + "\n")
        context.exit()
