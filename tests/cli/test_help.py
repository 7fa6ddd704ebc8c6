"""--help: summaries that are not cut, lines of 80 columns, examples that are valid commands."""

import shlex
from collections.abc import Iterator

import pytest
import typer

from attn_cli.cli.app import build
from attn_cli.cli.help_text import examples_of, summary_of


def contexts(command, name, parent=None) -> Iterator[typer.Context]:
    context = command.context_class(
        command, info_name=name, parent=parent, **command.context_settings
    )
    yield context
    if hasattr(command, "list_commands"):
        for each in command.list_commands(context):
            yield from contexts(command.get_command(context, each), each, context)


CONTEXTS = {
    context.command_path: context for context in contexts(typer.main.get_command(build()), "attn")
}
LEAVES = [path for path, each in CONTEXTS.items() if not hasattr(each.command, "list_commands")]


@pytest.mark.parametrize("path", CONTEXTS)
def test_no_summary_is_cut_and_no_line_is_over_80_columns(path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    context = CONTEXTS[path]
    text = context.command.get_help(context)
    assert "-h, --help" in text
    assert "..." not in text.partition("Commands:")[2]
    long = [line for line in text.splitlines() if len(line) > 80 and "|" not in line]
    assert not [line for line in long if not line.startswith("  attn ")]


@pytest.mark.parametrize("path", LEAVES)
def test_a_command_has_a_summary_of_at_most_two_lines_and_examples(path):
    command = CONTEXTS[path].command
    assert 0 < len(summary_of(command)) < 125
    assert examples_of(command)
    assert any(line.startswith(path) for line in examples_of(command))


EXAMPLES = [line for path in CONTEXTS for line in examples_of(CONTEXTS[path].command)]


@pytest.mark.parametrize("line", [line for line in EXAMPLES if "COMMAND" not in line])
def test_an_example_is_a_command_line_that_parses(line):
    after = line.partition("attn ")[2]
    assert after, line
    arguments = shlex.split(after.replace(')"', ""), comments=True)
    for sign in ("<", ">", "|"):
        arguments = arguments[: arguments.index(sign)] if sign in arguments else arguments
    command, context, path = CONTEXTS["attn"].command, CONTEXTS["attn"], "attn"
    while hasattr(command, "list_commands"):
        path = f"{path} {arguments.pop(0)}"
        context, command = CONTEXTS[path], CONTEXTS[path].command
    parsed = command.make_context(path, arguments, parent=context.parent)
    assert parsed.args == []
