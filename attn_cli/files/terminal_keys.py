"""Single keys of a terminal, which neither waits for a line nor shows them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Names of keys by what a terminal sends for them.
_KEYS = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\n": "enter",
    "\r": "enter",
    "\x7f": "backspace",
    "\x1b": "escape",
    " ": "space",
}


def read_keys(descriptor: int) -> Iterator[str]:
    """Yield the names of the keys that a terminal sends; other keys are their letters."""
    while data := os.read(descriptor, 64):
        text = data.decode("utf-8", "replace")
        while text:
            size = 3 if text[:3] in _KEYS else 1
            key, text = text[:size], text[size:]
            yield _KEYS.get(key, key)


@contextmanager
def pressed_keys(descriptor: int) -> Iterator[Iterator[str]]:
    """Yield the keys of a terminal as `read_keys`; the terminal is restored after the block."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield read_keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
