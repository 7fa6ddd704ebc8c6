"""attn export --to hf: the model in Transformers, compared with the exported network."""

import json

import pytest
import torch
from marian_models import load_marian, load_tokenizer, random_lines, write_folder
from program import PAIRS, attn
from safetensors.torch import load_file

from attn_cli import __version__, config
from attn_cli.bundles import manifest, storage
from attn_cli.bundles.bundle import open_bundle
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.errors import ModelError
from attn_cli.export.marian import write_marian_folder
from attn_cli.importing.marian import read_model
from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.engines.interface import ALL_HEADS
from attn_cli.inference.engines.torch import load
from attn_cli.inference.line_batches import pad_rows
from attn_cli.nn.builder import build_model
from attn_cli.nn.masking import length_mask
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.training.checkpoint import serialize
from attn_cli.types import BOS, PAD

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")  # transformers' own

#: A post-norm Transformer of attn, which Marian can express.
POST_NORM = (
    *("model.norm_first=false", "model.encoder.kind=transformer", "model.embedding=32"),
    *("model.encoder.width=32", "model.encoder.heads=4", "model.encoder.feed_forward=48"),
    *("model.encoder.layers=2", "model.decoder.kind=transformer", "model.decoder.width=32"),
    *("model.decoder.layers=2", "model.decoder.feed_forward=40", "model.attention.heads=2"),
    *("model.attention.kind=multihead", "model.word_aligner=false", "tokenizer.vocab_size=400"),
)


def write_bundle(folder, *settings):
    """Write a bundle of random parameters, with vocabularies trained on PAIRS."""
    folder.mkdir()
    recipe = config.with_settings(config.Recipe(name="own"), [*POST_NORM, *settings])
    tokenizers = [Tokenizer.train([*PAIRS, *PAIRS.values()], recipe.tokenizer)] * 2
    if not recipe.tokenizer.joint:
        tokenizers = [Tokenizer.train(side, recipe.tokenizer) for side in (PAIRS, PAIRS.values())]
    torch.manual_seed(2)
    sizes = [each.vocab_size for each in tokenizers]
    network = build_model(recipe.model, source_vocab_size=sizes[0], target_vocab_size=sizes[1])
    with torch.no_grad():
        for parameter in network.parameters():  # biases and normalizations, too
            parameter.add_(torch.randn_like(parameter) * 0.2)
    storage.write_definition(folder, recipe, *tokenizers)
    files = {manifest.WEIGHTS: serialize(unique_state_dict(network))}
    storage.write_manifest(folder, recipe, version=__version__, scores={}, files=files)
    return open_bundle(folder)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("model.activation=swish", "model.scale_embeddings=false", "model.tie_embeddings=output"),
        ("tokenizer.joint=false", "model.tie_embeddings=output"),
        ("model.tie_embeddings=none", "model.activation=gelu"),
    ],
    ids=lambda settings: " ".join(settings) or "default",
)
def test_logits_and_greedy_translations_are_those_of_transformers(tmp_path, settings):
    bundle = write_bundle(tmp_path / "own", *settings)
    write_marian_folder(bundle, tmp_path / "hf")
    exported = load_marian(tmp_path / "hf")
    decoder = load(bundle, ALL_HEADS, device="cpu", threads=1)
    ids, lengths = pad_rows([bundle.source.encode(line).ids for line in list(PAIRS)[:8]])
    targets, _ = pad_rows([bundle.target.encode(line).ids for line in list(PAIRS.values())[1:9]])
    src, src_len = torch.from_numpy(ids).long(), torch.from_numpy(lengths).long()
    mask = length_mask(src_len, src.shape[1])
    tgt_in = torch.cat([torch.full((8, 1), BOS), torch.from_numpy(targets).long()], 1)
    with torch.no_grad():
        network = decoder.network
        logits = network.output_projection(network(src, src_len, tgt_in).features)
        output = exported(input_ids=src, attention_mask=mask.long(), decoder_input_ids=tgt_in)
        max_length = 20
        generated_ids = exported.generate(
            src,
            attention_mask=mask.long(),
            num_beams=1,
            max_new_tokens=max_length,
            do_sample=False,
            bad_words_ids=None,
        )
    torch.testing.assert_close(output.logits, logits, atol=1e-4, rtol=0)
    greedy = SearchConfig(beam=1, max_length_ratio=0.0, max_length_extra=max_length)
    for row, (best,) in zip(
        generated_ids.numpy(), search(decoder, ids, lengths, greedy), strict=True
    ):
        assert row[0] == BOS
        assert row[1:][row[1:] != PAD].tolist() == best.ids.tolist()


def test_the_exported_tokenizer_encodes_and_decodes_as_the_bundle_does(tmp_path):
    bundle = write_bundle(tmp_path / "own")
    write_marian_folder(bundle, tmp_path / "hf")
    tokenizer = load_tokenizer(tmp_path / "hf")
    lines = list(PAIRS)[:8]
    expected = [bundle.source.encode(line).ids.tolist() for line in lines]
    assert tokenizer(lines)["input_ids"] == expected
    assert tokenizer.batch_decode(expected, skip_special_tokens=True) == lines


@pytest.mark.parametrize(
    "settings",
    [{}, {"shared": False}, {"shared": False, "tie_word_embeddings": False}],
    ids=["shared", "separate", "not tied"],
)
def test_exporting_an_imported_model_restores_its_tensors(tmp_path, settings):
    folder = write_folder(tmp_path / "opus", **settings)
    first = read_model(folder, name="imported")
    (tmp_path / "bundle").mkdir()
    first.write(tmp_path / "bundle")
    write_marian_folder(open_bundle(tmp_path / "bundle"), tmp_path / "hf")
    second = read_model(tmp_path / "hf", name="imported")
    tensors = unique_state_dict(second.network)
    for name, tensor in unique_state_dict(first.network).items():
        assert torch.equal(tensors[name], tensor), name
    assert second.recipe == first.recipe
    assert second.card == first.card
    for side in ("source", "target"):
        assert getattr(second, side).pieces == getattr(first, side).pieces
    # The layers are not renumbered: their tensors are those of the first folder.
    before, after = (load_file(path / "model.safetensors") for path in (folder, tmp_path / "hf"))
    assert before.keys() == after.keys()
    for name in before:
        if "layers" in name:
            assert torch.equal(before[name], after[name]), name


def test_transformers_translates_an_exported_import_as_the_original_folder(tmp_path):
    folder = write_folder(tmp_path / "opus", spread=1.5)
    (tmp_path / "bundle").mkdir()
    read_model(folder, name="imported").write(tmp_path / "bundle")
    result = attn("export", tmp_path / "bundle", "--to", "hf", "--out", tmp_path / "hf")
    assert result.status == 0, result.err
    texts = []
    for path in (folder, tmp_path / "hf"):
        model, tokenizer = load_marian(path), load_tokenizer(path)
        batch = tokenizer(random_lines(8, seed=5), return_tensors="pt", padding=True)
        with torch.no_grad():
            ids = model.generate(
                **batch,
                num_beams=3,
                max_new_tokens=30,
                bad_words_ids=[[model.config.pad_token_id]],
            )
        texts.append(tokenizer.batch_decode(ids, skip_special_tokens=True))
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 2


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        (("model.norm_first=true",), "model.norm_first"),
        (("model.positional_encoding=learned",), "learned positions"),
        (("tokenizer.literals=true",), "placeholders"),
        (("tokenizer.normalize_quotes=true",), "quotes"),
        (("tokenizer.detach_opening_marks=true",), "opening marks"),
        (("model.encoder.kind=recurrent",), "an encoder that is no Transformer"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_model_that_marian_cannot_express_is_refused_with_the_difference(
    tmp_path, settings, difference
):
    bundle = write_bundle(tmp_path / "own", *settings)
    with pytest.raises(ModelError, match=difference):
        write_marian_folder(bundle, tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_the_folder_must_be_empty_and_other_options_are_refused(tmp_path):
    write_bundle(tmp_path / "own")
    command = ("export", tmp_path / "own", "--to", "hf")
    assert attn(*command).status == 2
    assert attn(*command, "--out", tmp_path / "hf", "--half").status == 2
    assert attn("export", tmp_path / "own", "--out", tmp_path / "hf").status == 2
    assert attn(*command, "--out", tmp_path / "hf").status == 0
    result = attn(*command, "--out", tmp_path / "hf")
    assert (result.status, "is not empty" in result.err) == (2, True)
    assert attn(*command, "--out", tmp_path / "hf", "--force").status == 0
    model_config = json.loads((tmp_path / "hf" / "config.json").read_text(encoding="utf-8"))
    assert model_config["model_type"] == "marian"
