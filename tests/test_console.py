"""The console: which stream each message goes to, the width, the colors and the keys."""

import io
import os
import struct
import sys

import pytest

from attn_cli.console import Console
from attn_cli.errors import DataError
from attn_cli.files.standard_streams import StdoutClosedError
from attn_cli.files.terminal_keys import read_keys


def make_console(*, terminal=False, stdout=None, **environment):
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


def messages(console):
    return console.stderr.getvalue().decode()


def test_results_go_to_stdout_and_messages_to_stderr():
    console = make_console()
    console.write("é\n")
    console.info("a")
    console.warn("b")
    console.fail("c", "d")
    console.verbose_info("only when verbose")
    assert console.stdout.getvalue() == "é\n".encode()
    assert messages(console) == "a\nattn: b\nattn: c. d.\n"


def test_quiet_keeps_warnings_and_errors():
    console = make_console()
    console.quiet = True
    console.info("a")
    console.warn("b")
    console.fail("c", "")
    assert messages(console) == "attn: b\nattn: c.\n"


def test_verbose_adds_details():
    console = make_console()
    console.verbose = True
    console.verbose_info("a")
    assert messages(console) == "a\n"


@pytest.mark.parametrize("end", ["?", "!", ".", "…"])
def test_a_message_ends_with_one_punctuation_mark(end):
    console = make_console()
    console.fail(f"what{end}", "Do x")
    assert messages(console) == f"attn: what{end} Do x.\n"


def test_a_character_that_utf8_cannot_encode_is_replaced_without_an_error():
    console = make_console()
    console.write("a\udcff\n")
    console.warn("b\ud800")
    assert console.stdout.getvalue() == b"a?\n"
    assert messages(console) == "attn: b?\n"


class FailingStream(io.BytesIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, data):
        raise self.error


def test_a_closed_pipe_and_a_full_disk_raise_different_errors():
    with pytest.raises(StdoutClosedError):
        make_console(stdout=FailingStream(BrokenPipeError())).write("a")
    with pytest.raises(DataError, match="No space left"):
        make_console(stdout=FailingStream(OSError(28, "No space left on device"))).write("a")


def test_a_message_to_a_closed_stderr_raises_no_error():
    console = make_console()
    console.stderr = FailingStream(BrokenPipeError())
    console.fail("a", "b")


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("0", 80), ("", 80), ("²", 80)])
def test_the_width_without_a_terminal_is_columns_or_80(columns, width):
    assert make_console(COLUMNS=columns).width == width


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudoterminals")
@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize(
    ("terminal_width", "columns", "width"),
    [(123, "", 123), (123, "0", 123), (123, "100", 100), (0, "", 80)],  # 0: it knows no width
)
def test_the_width_is_that_of_the_terminal_unless_columns_sets_it(
    stream, terminal_width, columns, width
):
    import fcntl
    import termios

    main, terminal = os.openpty()
    with open(main, "rb", buffering=0), open(terminal, "r+b", buffering=0) as file:
        size = struct.pack("4H", 24, terminal_width, 0, 0)  # rows, columns, pixels
        fcntl.ioctl(file, termios.TIOCSWINSZ, size)
        console = make_console(COLUMNS=columns)
        setattr(console, stream, file)
        assert console.width == width


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
def test_color_depends_on_the_terminal_and_on_environment_variables(terminal, environment, color):
    from rich.text import Text

    console = make_console(terminal=terminal, **environment)
    console.show(Text("red", style="red on blue"))
    assert ("\x1b[31" in console.stdout.getvalue().decode()) is color


def test_the_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    assert make_console().cores == 3


def test_the_default_number_of_threads_precedes_the_number_of_cores():
    console = make_console()
    console.default_threads = 1000
    assert console.cores == 1000


def test_keys_are_read_by_name_from_all_escape_sequences_of_terminals():
    reader, writer = os.pipe()
    os.write(writer, b"\x1b[C\x1bODq5 \x1b[B\x7f\n\x1b")
    os.close(writer)
    keys = list(read_keys(reader))
    os.close(reader)
    names = ["right", "left", "q", "5", "space", "down", "backspace", "enter", "escape"]
    assert keys == names
