"""Write records to the file that --output names, or to stdout."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_cli.console import Console, is_stdout, to_bytes
from attn_cli.data.text_output import open_output

#: Takes records, each with its final newline: text, which is written as UTF-8, or bytes.
Write = Callable[..., None]


@contextmanager
def open_writer(console: Console, output: Path | None) -> Iterator[Write]:
    """Yield a function that writes records to `output`. Raises DataError as `open_output`."""
    if output is None or is_stdout(output):
        yield console.write
        return
    with open_output(output) as file:

        def write(*records: str | bytes) -> None:
            file.buffer.write(b"".join(map(to_bytes, records)))

        yield write
