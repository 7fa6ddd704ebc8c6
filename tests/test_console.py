"""The terminal as one object: what is said where, how wide, and in how many colours."""

import io
import os

import pytest

from attn_cli.console import Console
from attn_cli.errors import DataError
from attn_cli.files.standard_streams import StdoutClosedError
from attn_cli.files.terminal_keys import read_keys


def console(*, terminal=False, stdout=None, **environment):
    return Console(
        stdin=io.BytesIO(),
        stdout=stdout or io.BytesIO(),
        stderr=io.BytesIO(),
        stdin_is_live=False,
        stdin_is_terminal=False,
        stdout_is_terminal=terminal,
        stderr_is_terminal=terminal,
        environment=environment,
    )


def said(console):
    return console.stderr.getvalue().decode()


def test_results_go_to_stdout_and_talk_to_stderr():
    both = console()
    both.write("é\n")
    both.info("a")
    both.warn("b")
    both.fail("c", "d")
    both.verbose_info("only when verbose")
    assert both.stdout.getvalue() == "é\n".encode()
    assert said(both) == "a\nattn: b\nattn: c. d.\n"


def test_quiet_keeps_warnings_and_errors():
    quiet = console()
    quiet.quiet = True
    quiet.info("a")
    quiet.warn("b")
    quiet.fail("c", "")
    assert said(quiet) == "attn: b\nattn: c.\n"


def test_verbose_adds_details():
    verbose = console()
    verbose.verbose = True
    verbose.verbose_info("a")
    assert said(verbose) == "a\n"


@pytest.mark.parametrize("end", ["?", "!", ".", "…"])
def test_a_sentence_gets_one_end(end):
    one = console()
    one.fail(f"what{end}", "Do x")
    assert said(one) == f"attn: what{end} Do x.\n"


def test_what_utf8_cannot_hold_is_replaced_and_never_an_error():
    one = console()
    one.write("a\udcff\n")
    one.warn("b\ud800")
    assert one.stdout.getvalue() == b"a?\n"
    assert said(one) == "attn: b?\n"


class Refusing(io.BytesIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, data):
        raise self.error


def test_a_closed_pipe_is_told_from_a_full_disk():
    with pytest.raises(StdoutClosedError):
        console(stdout=Refusing(BrokenPipeError())).write("a")
    with pytest.raises(DataError, match="No space left"):
        console(stdout=Refusing(OSError(28, "No space left on device"))).write("a")


def test_an_error_that_nobody_can_hear_is_no_error():
    deaf = console()
    deaf.stderr = Refusing(BrokenPipeError())
    deaf.fail("a", "b")


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("0", 80), ("", 80), ("²", 80)])
def test_the_width_is_columns_else_the_terminals_else_80(columns, width, monkeypatch):
    assert console(COLUMNS=columns).width == width


def test_a_terminal_that_does_not_know_its_width_has_80_columns(monkeypatch):
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    with open(os.devnull, "rb") as file:
        one = console()
        one.stdin = file
        assert one.width == 80


@pytest.mark.parametrize(
    ("terminal", "environment", "color"),
    [
        (True, {"TERM": "xterm-256color"}, True),
        (True, {"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm-256color"}, False),
        (True, {"TERM": "xterm-256color", "CLICOLOR": "0"}, False),
        (True, {"TERM": "xterm-256color", "CLICOLOR": "1"}, True),
        (False, {"TERM": "xterm-256color", "CLICOLOR": "1"}, False),
        (False, {"TERM": "xterm-256color", "FORCE_COLOR": "1"}, True),
        (False, {"TERM": "xterm-256color", "FORCE_COLOR": "0"}, False),
        (False, {"TERM": "xterm-256color", "FORCE_COLOR": ""}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (False, {"TERM": "xterm-256color", "CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True),
        (False, {"TERM": "xterm-256color", "FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_color_is_for_terminals_that_want_it(terminal, environment, color):
    from rich.text import Text

    one = console(terminal=terminal, **environment)
    one.show(Text("red", style="red on blue"))
    assert ("\x1b[31" in one.stdout.getvalue().decode()) is color


def test_the_cores_are_those_this_process_may_use():
    assert 1 <= console().cores <= (os.cpu_count() or 1)


def test_keys_have_names_whatever_a_terminal_sends_for_them():
    reader, writer = os.pipe()
    os.write(writer, b"\x1b[C\x1bODq5 \x1b[B\x7f\n\x1b")
    os.close(writer)
    keys = list(read_keys(reader))
    os.close(reader)
    names = ["right", "left", "q", "5", "space", "down", "backspace", "enter", "escape"]
    assert keys == names
