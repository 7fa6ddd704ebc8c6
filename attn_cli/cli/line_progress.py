"""A bar on the terminal while a long file is translated or aligned: lines, speed, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_cli.cli.input import CHUNK, Shard
from attn_cli.console import Console
from attn_cli.data.text_input import count_lines


@contextmanager
def line_progress(
    console: Console, input: Path | None, output: Path | None, *, shard: Shard | None, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of lines written since the last call.

    Without a terminal, with results on the terminal, or for few lines it shows nothing. `done`
    lines were written before.
    """
    total = 0
    is_shown = console.draws_progress and not console.is_on_terminal(output)
    if is_shown and input is not None and input.is_file():
        total = len(shard.of(console, input)) if shard else count_lines(input)
    if total <= CHUNK or total <= done:
        yield lambda lines: None
        return
    from attn_cli.render.progress import Progress, bar

    with bar(console.rich(stderr=True)) as show:
        progress = Progress(total, show)
        progress.add(read=done, known=done, records=0)
        yield lambda lines: progress.add(read=lines, known=0, records=lines)
