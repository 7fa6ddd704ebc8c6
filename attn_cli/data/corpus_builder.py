"""Number the word forms of a text, one side of a corpus at a time."""

from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from attn_cli.data import words
from attn_cli.data.arrays import RaggedArray, Storage, StringArray
from attn_cli.data.corpus import CorpusSide
from attn_cli.data.literals import NumberedLiteral, add_mark
from attn_cli.data.word_rules import WordRules

_CACHE_SIZE = 174_000  # chunks whose words are cached (a dict of 2^18 slots) …
_LONGEST_CACHED = 32  # … and the longest of them, in characters


class SideBuilder:
    """One side of a corpus while it is read; sentences since the last `flush` are in memory."""

    def __init__(self, chunks: "ChunkCache", storage: Storage, name: str) -> None:
        self._chunks, self._storage, self._name = chunks, storage, name
        self._values = storage.column(f"{name}.words.values", np.int32)
        self._all_starts = storage.column(f"{name}.words.starts", np.int64)
        self._all_starts.append(np.zeros(1, np.int64))
        self._flushed = 0
        self._begin()

    def _begin(self) -> None:
        self._forms = array("i")
        self._ends = array("q")

    def add(self, text: str, literals: Sequence[NumberedLiteral] = ()) -> bool:
        """Add a sentence with these literals; return whether it has a word."""
        before = len(self._forms)
        if literals:
            forms = _marked_forms(text, literals, self._chunks)
            self._forms.extend([self._chunks.numbers[form] for form in forms])
            self._ends.append(len(self._forms))
            return True
        # No word crosses white space, so the words of a text are those of its spaced chunks.
        chunks = self._chunks.split(text)
        self._forms.frombytes(b"".join(map(self._chunks.__getitem__, chunks)))
        self._ends.append(len(self._forms))
        return len(self._forms) > before

    def truncate(self, sentences: int) -> None:
        """Drop what was added since `flush`, except so many sentences."""
        del self._ends[sentences:]
        del self._forms[self._ends[-1] if sentences else 0 :]

    def flush(self) -> None:
        """Store what was added."""
        self._values.append(self._forms)
        self._all_starts.append(np.frombuffer(self._ends, np.int64) + self._flushed)
        self._flushed += len(self._forms)
        self._begin()

    def finish(self) -> CorpusSide:
        """Return the whole side; nothing can be added afterwards."""
        self.flush()
        sentences = RaggedArray(self._values.finish(), self._all_starts.finish())
        forms = StringArray.from_strings(
            self._chunks.numbers, self._storage, name=f"{self._name}.forms"
        )
        self._chunks.free()
        return CorpusSide(forms, sentences)


def _marked_forms(
    text: str, literals: Sequence[NumberedLiteral], chunks: "ChunkCache"
) -> Iterator[str]:
    """Yield the word forms of a text, as those of `chunks`, with its literals marked."""
    number = {literal.start: literal.number for literal in literals}
    line_words = words.split(
        text, [(literal.start, literal.end) for literal in literals], rules=chunks.rules
    )
    forms = words.surface_forms(line_words, detach_opening_marks=chunks.detach_opening_marks)
    for word, form in zip(line_words, forms, strict=True):
        yield add_mark(form, number[word.start]) if word.start in number else form


class _FormNumbers(dict[str, int]):
    """Word form → number, in order of first appearance."""

    def __missing__(self, form: str) -> int:
        number = self[form] = len(self)
        return number


class ChunkCache(dict[str, bytes]):
    """A cache: text between two spaces → the numbers of its words, as bytes of an int array.

    Bytes are one object in memory where a tuple of numbers is several. The first chunks of a text
    are cached, the frequent ones among them; after too many misses the cache is cleared.
    """

    def __init__(self, rules: WordRules, *, detach_opening_marks: bool = False) -> None:
        super().__init__()
        self.rules = rules
        self.detach_opening_marks = detach_opening_marks
        self.numbers = _FormNumbers()
        self._misses = 0

    def free(self) -> None:
        """Free the memory."""
        self.clear()
        self.numbers.clear()

    def split(self, text: str) -> list[str]:
        """Return the chunks of a text."""
        return text.split()

    def forms(self, chunk: str) -> list[str]:
        """Return the word forms of a chunk."""
        chunk_words = words.split(chunk, rules=self.rules)
        return words.surface_forms(chunk_words, detach_opening_marks=self.detach_opening_marks)

    def __missing__(self, chunk: str) -> bytes:
        numbers = [self.numbers[form] for form in self.forms(chunk)]
        data = array("i", numbers).tobytes()
        if len(chunk) <= _LONGEST_CACHED:
            if self._misses > 4 * _CACHE_SIZE:
                self.clear()
                self._misses = 0
            if len(self) < _CACHE_SIZE:
                self[chunk] = data
            else:
                self._misses += 1
        return data


class TokenCache(ChunkCache):
    """The same for tokenized text: only spaces and TABs separate words (`str.split` would split
    at U+00A0 too)."""

    def split(self, text: str) -> list[str]:
        return [token for token in text.replace("\t", " ").split(" ") if token]

    def forms(self, chunk: str) -> list[str]:
        return [f" {chunk}"]
