"""Emit the phases of a training as events."""

from attn_cli.config import Recipe
from attn_cli.training import events
from attn_cli.training.word_links import needs_links, trains_aligner


class Phases:
    """Emits the phases of a recipe's training in order."""

    def __init__(self, recipe: Recipe, emit: events.Listener) -> None:
        links = ["word aligner" if trains_aligner(recipe) else "word links"]
        graphs = ["graphs"] if recipe.train.export != "none" else []
        self._names = ["text", *(links if needs_links(recipe) else []), "network", *graphs]
        self._emit = emit

    def enter(self, name: str) -> None:
        """Emit that a phase begins, if the training has it."""
        if name in self._names:
            number = self._names.index(name) + 1
            self._emit(events.Phase(name, number, tuple(self._names)))

    def enter_alignment(self) -> None:
        """Emit that the links are computed: for the word aligner, or for the attention alone."""
        self.enter("word aligner")
        self.enter("word links")
