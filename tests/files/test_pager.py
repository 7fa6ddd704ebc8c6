"""A pager shows what is longer than the screen; what is shorter goes to the terminal itself."""

import itertools
import sys

import pytest

from attn_cli.files.pager import PagedStream, pager_command, screen_height

#: Stands for a pager: says so, and passes on what it reads.
PAGER = [
    sys.executable,
    "-c",
    "import sys; print('pager', flush=True); sys.stdout.write(sys.stdin.read())",
]


@pytest.fixture
def terminal(tmp_path):
    with open(tmp_path / "terminal", "w+b") as file:
        yield file


def shown(terminal):
    terminal.seek(0)
    return terminal.read().decode()


def test_what_fits_the_screen_needs_no_pager(terminal):
    with PagedStream(terminal, ["no-such-pager"], 3, {}) as stream:
        stream.write(b"one\ntwo\n")
        assert shown(terminal) == ""
    assert shown(terminal) == "one\ntwo\n"


def test_what_is_longer_goes_to_the_pager_whole_and_in_order(terminal):
    with PagedStream(terminal, PAGER, 3, {}) as stream:
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            stream.write(line)
    assert shown(terminal) == "pager\none\ntwo\nthree\nfour\n"


def test_a_pager_that_was_left_is_a_broken_pipe(terminal):
    stream = PagedStream(terminal, [sys.executable, "-c", "pass"], 1, {})
    with pytest.raises(BrokenPipeError):
        stream.writelines(itertools.repeat(b"line\n" * 1000))
    stream.close()


def test_colors_pass_less_unless_the_user_says_otherwise(terminal):
    say = [sys.executable, "-c", "import os; print(os.environ['LESS'])"]
    for environment, expected in (({}, "FRX"), ({"LESS": "S"}, "S")):
        with PagedStream(terminal, say, 1, environment) as stream:
            stream.write(b"\n")
        assert shown(terminal).split()[-1] == expected


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


def test_a_file_is_no_screen(terminal):
    assert screen_height(terminal) is None
