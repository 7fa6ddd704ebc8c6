"""Import a Marian model, such as those of OPUS-MT, from its folder as a bundle."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from attn_cli import __version__
from attn_cli.bundles import manifest, storage, vocabularies
from attn_cli.config import Recipe
from attn_cli.data.sentencepiece_tokenizer import SentencePieceTokenizer
from attn_cli.errors import ModelError
from attn_cli.importing.marian_config import LAYOUT, read_card, read_config
from attn_cli.importing.marian_vocabulary import read_vocabularies
from attn_cli.importing.marian_weights import convert_weights, read_weights
from attn_cli.nn.builder import build_model
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state, unique_state_dict

#: The heading of the section that attn adds to the card of a folder.
CARD_HEADING = "## In attn"


@dataclass(frozen=True)
class ImportedModel:
    """The parts of a bundle, read from a folder."""

    recipe: Recipe
    source: SentencePieceTokenizer
    target: SentencePieceTokenizer
    network: Seq2Seq
    card: str

    def write(self, out: Path) -> None:
        """Write the bundle, without graphs, into an empty folder."""
        storage.write_definition(out, self.recipe, self.source, self.target)
        files = {
            manifest.WEIGHTS: save(unique_state_dict(self.network)),
            manifest.CARD: self._card().encode("utf-8"),
        }
        storage.write_manifest(out, self.recipe, version=__version__, scores={}, files=files)

    def _card(self) -> str:
        """The card of the folder, and what differs from models that attn trains."""
        card = original_card(self.card) or f"# {self.recipe.name}\n"
        tokens = ", ".join(token.strip("<>") for token in self.source.language_tokens)
        languages = f"Target languages (`--target-token`): {tokens}.\n" if tokens else ""
        return (
            f"{card}\n{CARD_HEADING}\n\nImported by attn {__version__}. Numbers, addresses and "
            "emoji are translated like other words, not copied from the source, since the "
            f"vocabulary has no placeholders for them.\n{languages}"
        )


def original_card(card: str) -> str:
    """Return the card of the folder that a model was imported from."""
    return f"\n{card}".partition(f"\n{CARD_HEADING}\n")[0].removeprefix("\n")


def read_model(
    folder: Path, *, name: str, source: str = "", target: str = "", target_token: str = ""
) -> ImportedModel:
    """Read the Marian model of a folder in the layout of Hugging Face's Transformers.

    `source` and `target` name the languages if its tokenizer_config.json does not;
    `target_token` is one of its tokens of target languages, such as >>fra<<, that lines begin with.
    Raises ModelError if the folder is damaged or contains another kind of model, UsageError for an
    unknown token.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}", LAYOUT)
    config = read_config(folder)
    vocabulary = read_vocabularies(folder, config)
    spm = [_read_model_file(folder / file) for file in (vocabularies.SOURCE, vocabularies.TARGET)]
    tokenizers = (
        SentencePieceTokenizer(spm[0], vocabulary[0].pieces, where=str(folder)),
        SentencePieceTokenizer(spm[1], vocabulary[1].pieces, where=str(folder)),
    )
    if target_token:
        tokenizers = tokenizers[0].with_target_token(target_token), tokenizers[1]
    recipe = config.recipe(
        name, source=source, target=target, target_token=tokenizers[0].target_token
    )
    tensors = convert_weights(read_weights(folder), config, vocabulary, where=str(folder))
    network = build_model(
        recipe.model,
        source_vocab_size=tokenizers[0].vocab_size,
        target_vocab_size=tokenizers[1].vocab_size,
    )
    with torch.no_grad():
        load_state(network, tensors, where=str(folder))
    return ImportedModel(recipe, *tokenizers, network.eval(), read_card(folder))


def _read_model_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path.parent} has no {path.name}", LAYOUT) from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", LAYOUT) from error
