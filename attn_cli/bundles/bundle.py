"""Open a model on disk: its recipe, its vocabulary and the paths of its files.

`Bundle.file` compares the checksum of each file before it is loaded. A training may replace files
at any moment; `load_stable` loads a model again if that happened. `manifest` has the names of the
files, `storage` writes them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from attn_cli import config
from attn_cli.bundles import vocabularies
from attn_cli.bundles.manifest import (
    RECIPE,
    SHORTLIST,
    STEP,
    WEIGHTS,
    WORD_ALIGNER,
    WORD_ALIGNER_GRAPH,
    check_sizes,
    locate,
    read_manifest,
    require_files,
    stored_name,
    verify_file,
)
from attn_cli.bundles.vocabularies import vocabulary_files
from attn_cli.config import Recipe
from attn_cli.data.shortlist import Shortlist
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.errors import AttnError, ModelError

#: Maximum attempts to load a model that is being replaced.
_ATTEMPTS = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. `facts` is the content of its bundle.json."""

    path: Path
    recipe: Recipe
    source: SubwordTokenizer
    target: SubwordTokenizer
    facts: dict[str, Any]
    _verified: set[str] = field(default_factory=set, repr=False, compare=False)

    def file(self, name: str) -> Path:
        """Return the path of one of its files, after comparing its checksum once.

        Raises ModelError if that does not match.
        """
        if name not in self._verified:
            require_files(self.path, self.facts, name)
            verify_file(self.path, self.facts, name)
            self._verified.add(name)
        return locate(self.path, self.facts, name)

    @property
    def weights(self) -> Path:
        """The file of the parameters."""
        return self.file(WEIGHTS)

    @property
    def word_aligner(self) -> Path:
        """The file of the word aligner's parameters."""
        return self.file(WORD_ALIGNER)

    @property
    def can_align(self) -> bool:
        """Whether there is a word aligner."""
        return self.has_files(WORD_ALIGNER) or self.has_files(WORD_ALIGNER_GRAPH)

    @property
    def can_translate(self) -> bool:
        """Whether the bundle has a translation network."""
        return self.has_files(WEIGHTS) or self.has_files(STEP)

    @property
    def has_attention(self) -> bool:
        """Whether its network has attention."""
        return self.can_translate and self.recipe.model.has_attention

    @property
    def precision(self) -> str | None:
        """Precision of its graphs, int8 or fp32; None without graphs."""
        precision: str | None = self.facts.get("precision")
        return precision

    @property
    def shortlist(self) -> Shortlist | None:
        """The shortlist, if the bundle has one.

        Raises ModelError if it is damaged or of another vocabulary.
        """
        if not self.has_files(SHORTLIST):
            return None
        source, target = self.source.vocab_size, self.target.vocab_size
        return Shortlist.load(self.file(SHORTLIST), source_vocab=source, target_vocab=target)

    def with_target_token(self, token: str | None) -> "Bundle":
        """Return the bundle whose source lines begin with this token, such as >>fra<<.

        With None, that of its recipe. Raises UsageError if the vocabulary has no such token.
        """
        if token is None:
            return self
        source = vocabularies.with_target_token(self.source, token)
        tokenizer = replace(self.recipe.tokenizer, target_token=source.target_token)
        return replace(self, source=source, recipe=replace(self.recipe, tokenizer=tokenizer))

    def has_files(self, *names: str) -> bool:
        """Whether all these files belong to the bundle."""
        return all(stored_name(self.facts, name) for name in names)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.recipe.name


def open_bundle(path: Path) -> Bundle:
    """Open the bundle in that folder; the checksum of a file is compared when it is loaded.

    Raises ModelError when it is missing, lacks a file, holds one of another size than its
    bundle.json says, or is of a newer format; and for a damaged recipe or vocabulary.
    """
    return load_stable(path, lambda bundle: bundle)


def load_stable(path: Path, load: Callable[[Bundle], T]) -> T:
    """Open the model in that folder and return `load(bundle)`.

    Repeats both if bundle.json was replaced in the meantime, as by a running training. Raises as
    `open_bundle` and `load`.
    """
    for attempt in range(_ATTEMPTS):
        facts = read_manifest(path)
        try:
            loaded = load(_open(path, facts))
        except ModelError:
            if attempt + 1 < _ATTEMPTS and _is_replaced(path, facts):
                continue
            raise
        if not _is_replaced(path, facts):
            break
    return loaded


def _is_replaced(path: Path, facts: dict[str, Any]) -> bool:
    try:
        return read_manifest(path) != facts
    except ModelError:
        return True


def _open(path: Path, facts: dict[str, Any]) -> Bundle:
    check_sizes(path, facts)
    require_files(path, facts, RECIPE)
    verify_file(path, facts, RECIPE)
    try:
        recipe = config.load(locate(path, facts, RECIPE), legacy_defaults=True)
    except ModelError:
        raise
    except AttnError as error:
        raise ModelError(f"the model {path} is unfit: {error.problem}", error.hint) from error
    names = vocabulary_files(recipe)
    require_files(path, facts, *names)
    for name in names:
        verify_file(path, facts, name)
    files = [locate(path, facts, name) for name in names]
    return Bundle(path, recipe, *vocabularies.load_tokenizers(files, recipe), facts)


def load_tokenizers(path: Path, recipe: Recipe) -> tuple[SubwordTokenizer, SubwordTokenizer]:
    """Return the source's and the target's tokenizer; one object if the vocabulary is joint.

    `path` may be the folder of a training that has no model yet.
    """
    files = [path / name for name in vocabulary_files(recipe)]
    return vocabularies.load_tokenizers(files, recipe)
