"""Two files of links read in step, for `symmetrize`: a pair of Links for each pair of lines."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attn_cli.alignment.pharaoh import parse_links, transpose
from attn_cli.cli.input import CHUNK, warning_callback
from attn_cli.console import Console
from attn_cli.data.text_io import Line, Lines, batched, open_lines, open_output, zip_lines
from attn_cli.types import WordAlignment

Both = tuple[WordAlignment, WordAlignment]


class LinkFiles:
    """The links of a forward and a reverse file, line by line, both source-target.

    With `turned` the reverse file holds target-source. Lines come in groups of `together`.
    """

    def __init__(self, forward: Lines, reverse: Lines, *, turned: bool, together: int) -> None:
        self.forward, self.reverse = forward, reverse
        self.turned, self.together = turned, together
        self.agreed = 0  # links of both, as the reverse file is read
        self.agreed_otherwise = 0  # links of both, were it read the other way

    def groups(self) -> Iterator[list[Both]]:
        """Raises DataError where a line holds no links, or one file is longer."""
        lines = zip_lines(self.forward, self.reverse)
        return batched((self._both(*each) for each in lines), self.together)

    @property
    def looks_reversed(self) -> bool:
        """Whether the reverse file seems to be in the other order.

        Two alignments of a pair agree in most of their links, and seldom by chance.
        """
        return self.agreed < self.agreed_otherwise

    def _both(self, ours: Line, theirs: Line) -> Both:
        forward, read = _links(self.forward, ours), _links(self.reverse, theirs)
        reverse, otherwise = (transpose(read), read) if self.turned else (read, transpose(read))
        self.agreed += len(forward.links & reverse.links)
        self.agreed_otherwise += len(forward.links & otherwise.links)
        return forward, reverse


@contextmanager
def open_links(
    console: Console, forward: Path, reverse: Path, *, turned: bool
) -> Iterator[LinkFiles]:
    """The two files, of which one may be "-"; one line at a time where a pipe waits for each."""
    live = console.stdin_is_live and "-" in (str(forward), str(reverse))
    with ExitStack() as stack:
        ours, theirs = (
            stack.enter_context(
                open_lines(
                    path, stdin=console.stdin, on_problem=warning_callback(console, str(path))
                )
            )
            for path in (forward, reverse)
        )
        yield LinkFiles(ours, theirs, turned=turned, together=1 if live else CHUNK)


@contextmanager
def text_output(console: Console, output: Path | None) -> Iterator[Callable[..., None]]:
    """A function that writes records to a file, or to stdout where none is named."""
    if output is None or str(output) == "-":
        yield console.write
    else:
        with open_output(output) as file:
            yield lambda *records: file.writelines(records)


def _links(lines: Lines, line: Line) -> WordAlignment:
    return parse_links(line.text, where=f"{lines.name} line {line.number}")
