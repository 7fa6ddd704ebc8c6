"""--color, --no-color and the environment: when the output has escape sequences."""

from pathlib import Path

import pytest
from program import attn

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"


def table(*options, **kwargs):
    ended = attn("translate", "I see a dog.", "--align", "-m", MODEL, *options, **kwargs)
    assert ended.status == 0, ended.err
    return ended.stdout


@pytest.mark.parametrize("terminal", [True, False])
def test_color_always_and_never_apply_to_a_terminal_and_to_a_pipe(terminal):
    assert b"\x1b[" in table("--color", "always", terminal=terminal)
    assert b"\x1b[3" not in table("--color", "never", terminal=terminal)
    assert table("--no-color", terminal=terminal) == table("--color", "never", terminal=terminal)


def test_auto_is_the_default():
    for streams in ({"terminal": True}, {}, {"environment": {"FORCE_COLOR": "1"}}):
        assert table("--color", "auto", **streams) == table(**streams)


def test_environment_variables_can_enable_color_in_a_pipe():
    assert b"\x1b[" in table(environment={"FORCE_COLOR": "1"})
    assert b"\x1b[" not in table(environment={"FORCE_COLOR": "1", "NO_COLOR": "1"})


def test_an_unknown_color_value_is_a_usage_error():
    ended = attn("translate", "I see a dog.", "-m", MODEL, "--color", "sometimes")
    assert ended.status == 2
    assert all(each in ended.err for each in ("auto", "always", "never"))
