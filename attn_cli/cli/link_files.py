"""Read two files of links in parallel, for `symmetrize`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attn_cli.alignment.pharaoh import parse_links, transpose
from attn_cli.cli.input import CHUNK, open_text
from attn_cli.console import Console
from attn_cli.data.chunks import batched
from attn_cli.data.text_input import Line, Lines, zip_lines
from attn_cli.types import WordAlignment

Both = tuple[WordAlignment, WordAlignment]


class LinkFiles:
    """The links of a forward and a reverse file, line by line, both source-target.

    `is_transposed` if the reverse file holds target-source. Lines come in groups of `group_size`.
    """

    def __init__(
        self, forward: Lines, reverse: Lines, *, is_transposed: bool, group_size: int
    ) -> None:
        self.forward, self.reverse = forward, reverse
        self.is_transposed, self.group_size = is_transposed, group_size
        self.agreed = 0  # links of both files, in the order that is assumed
        self.agreed_otherwise = 0  # links of both files, in the other order

    def groups(self) -> Iterator[list[Both]]:
        """Yield groups of lines. Raises DataError for invalid links, or if one file is longer."""
        lines = zip_lines(self.forward, self.reverse)
        return batched((self._both(*each) for each in lines), self.group_size)

    @property
    def looks_reversed(self) -> bool:
        """Whether the reverse file agrees more with the forward file in the other order."""
        return self.agreed < self.agreed_otherwise

    def _both(self, forward_line: Line, reverse_line: Line) -> Both:
        forward, read = _links(self.forward, forward_line), _links(self.reverse, reverse_line)
        reverse, otherwise = (
            (transpose(read), read) if self.is_transposed else (read, transpose(read))
        )
        self.agreed += len(forward.links & reverse.links)
        self.agreed_otherwise += len(forward.links & otherwise.links)
        return forward, reverse


@contextmanager
def open_links(
    console: Console, forward: Path, reverse: Path, *, is_transposed: bool
) -> Iterator[LinkFiles]:
    """Open the two files; one may be "-". From a live pipe, groups have one line."""
    is_live = console.stdin_is_live and "-" in (str(forward), str(reverse))
    with ExitStack() as stack:
        forward_lines, reverse_lines = (
            stack.enter_context(open_text(console, path, name=str(path)))
            for path in (forward, reverse)
        )
        yield LinkFiles(
            forward_lines,
            reverse_lines,
            is_transposed=is_transposed,
            group_size=1 if is_live else CHUNK,
        )


def _links(lines: Lines, line: Line) -> WordAlignment:
    return parse_links(line.text, where=f"{lines.name} line {line.number}")
