"""A pager shows text longer than the screen; shorter text goes directly to the terminal."""

import itertools
import sys

import pytest

from attn_cli.files.pager import PagedStream, pager_command, screen_height

#: A stub of a pager: it prints its name, then what it reads.
PAGER = [
    sys.executable,
    "-c",
    "import sys; print('pager', flush=True); sys.stdout.write(sys.stdin.read())",
]


@pytest.fixture
def terminal(tmp_path):
    with open(tmp_path / "terminal", "w+b") as file:
        yield file


def content_of(terminal):
    terminal.seek(0)
    return terminal.read().decode()


def test_text_that_fits_the_screen_needs_no_pager(terminal):
    with PagedStream(terminal, ["no-such-pager"], 3, {}) as stream:
        stream.write(b"one\ntwo\n")
        assert content_of(terminal) == ""
    assert content_of(terminal) == "one\ntwo\n"


def test_longer_text_goes_to_the_pager_complete_and_in_order(terminal):
    with PagedStream(terminal, PAGER, 3, {}) as stream:
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            stream.write(line)
    assert content_of(terminal) == "pager\none\ntwo\nthree\nfour\n"


def test_writing_to_a_closed_pager_is_a_broken_pipe(terminal):
    stream = PagedStream(terminal, [sys.executable, "-c", "pass"], 1, {})
    with pytest.raises(BrokenPipeError):
        stream.writelines(itertools.repeat(b"line\n" * 1000))
    stream.close()


def test_less_gets_options_that_allow_color_unless_the_user_sets_less(terminal):
    command = [sys.executable, "-c", "import os; print(os.environ['LESS'])"]
    for environment, expected in (({}, "FRX"), ({"LESS": "S"}, "S")):
        with PagedStream(terminal, command, 1, environment) as stream:
            stream.write(b"\n")
        assert content_of(terminal).split()[-1] == expected


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"PAGER": "cat"}, None),
        ({"PAGER": ""}, None),
        ({"PAGER": "no-such-pager"}, None),
        ({"PAGER": "sh -c 'open"}, None),
        ({"PAGER": "sh -x"}, ["sh", "-x"]),
        ({"PAGER": "sh", "ATTN_PAGER": ""}, None),
        ({"PAGER": "cat", "ATTN_PAGER": "sh"}, ["sh"]),
    ],
)
def test_the_pager_is_that_of_the_environment(environment, command):
    assert pager_command(environment) == command


def test_a_file_is_not_treated_as_a_terminal(terminal):
    assert screen_height(terminal) is None
