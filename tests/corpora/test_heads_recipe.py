"""The recipe of the small Transformer with several heads: what it is, and how large."""

from pathlib import Path

from attn_cli import config
from attn_cli.nn.builder import build_model
from attn_cli.nn.state_dict import unique_state_dict

FOLDER = Path(__file__).resolve().parents[2] / "data" / "tatoeba"


def test_the_recipe_has_several_heads_on_both_sides():
    model = config.load(FOLDER / "heads.toml").model
    assert model.heads == (2, 4)
    assert (model.encoder.layers, model.encoder.heads) == (2, 4)


def test_parameters_in_half_precision_and_graphs_in_int8_take_less_than_4_mb():
    recipe = config.load(FOLDER / "heads.toml")
    vocab = recipe.tokenizer.vocab_size
    network = build_model(recipe.model, source_vocab_size=vocab, target_vocab_size=vocab)
    parameters = sum(part.numel() for part in unique_state_dict(network).values())
    assert 3 * parameters < 3_200_000  # the vocabulary and the graphs' structure take the rest


def test_the_first_line_of_the_recipe_is_its_training_command():
    first = (FOLDER / "heads.toml").read_text(encoding="utf-8").splitlines()[0]
    _, program, script, name = first.split()
    assert (program, name) == ("sh", "en-fr-heads")
    assert (FOLDER / Path(script).name).is_file()
