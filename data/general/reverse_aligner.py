# python data/general/reverse_aligner.py MODEL INTO
"""Give a model the word aligner of a model of the opposite direction.

    python data/general/reverse_aligner.py runs/general-en-fr runs/general-fr-en

A word aligner treats both sides alike: with the names of source and target exchanged in its
parameters, it gives the same probabilities for exchanged sentences. The rows of its embeddings are
transferred to the vocabulary of INTO, as by `train.new_vocabulary`. Graphs of INTO are not changed:
export them afterwards.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from attn_cli.bundles import storage
from attn_cli.bundles.bundle import Bundle, open_bundle
from attn_cli.bundles.manifest import WORD_ALIGNER
from attn_cli.nn.builder import build_word_aligner
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.nn.word_aligner import WordAligner
from attn_cli.training import checkpoint
from attn_cli.training.vocabulary_transfer import transfer_vocabulary


def reverse(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of a word aligner of the opposite direction.

    Source and target exchange their names; the kernels over the image of target and source words
    are transposed, and the two channels of its softmax over rows and over columns exchanged.
    """
    exchanged = {
        name.replace("source", "#").replace("target", "source").replace("#", "target"): tensor
        for name, tensor in state.items()
    }
    for name in ("refiner.conv1.weight", "refiner.conv2.weight"):
        exchanged[name] = exchanged[name].transpose(2, 3).contiguous()
    first = exchanged["refiner.conv1.weight"]  # its last two inputs are the softmaxes
    exchanged["refiner.conv1.weight"] = torch.cat([first[:, :-2], first[:, [-1, -2]]], dim=1)
    return exchanged


def build(model: Bundle) -> WordAligner:
    """Build the word aligner of a model, untrained."""
    sizes = model.source.vocab_size, model.target.vocab_size
    return build_word_aligner(
        model.recipe.model, source_vocab_size=sizes[0], target_vocab_size=sizes[1]
    )


@torch.no_grad()
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model whose word aligner is reversed")
    parser.add_argument("into", type=Path, help="model of the opposite direction, which gets it")
    options = parser.parse_args(arguments)
    model, into = open_bundle(options.model), open_bundle(options.into)
    languages = [(each.recipe.source, each.recipe.target) for each in (model, into)]
    if languages[0] != languages[1][::-1]:
        raise SystemExit(f"{options.into} is not of the opposite direction of {options.model}")
    aligner = build(model)
    load_state(aligner, checkpoint.load(model.word_aligner)[0], where=str(model.word_aligner))
    state = reverse(transfer_vocabulary(aligner.state_dict(), model, (into.target, into.source)))
    aligner = build(into)
    names = unique_state_dict(aligner)  # with one vocabulary, one table of embeddings
    load_state(aligner, {name: state[name] for name in names}, where=str(model.word_aligner))
    data = checkpoint.serialize(unique_state_dict(aligner))
    storage.add_file(options.into, WORD_ALIGNER, data)


if __name__ == "__main__":
    main()
