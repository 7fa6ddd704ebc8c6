"""Imported Marian models against the library that they come from, Hugging Face's Transformers."""

import json
import pickle

import numpy as np
import pytest
import torch
from marian_models import (
    ODD_LINES,
    load_marian,
    load_tokenizer,
    marian_ids,
    random_lines,
    write_folder,
)

from attn_cli.bundles.bundle import open_bundle
from attn_cli.errors import ModelError
from attn_cli.export.bundle_export import export
from attn_cli.importing.marian import read_model
from attn_cli.importing.marian_config import read_config
from attn_cli.importing.marian_vocabulary import read_vocabularies
from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.engines.registry import EngineOptions, open_decoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.inference.line_batches import pad_rows
from attn_cli.nn.masking import length_mask
from attn_cli.types import EOS

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")  # transformers' own

CONFIGURATIONS = {
    "6+6": {"encoder_layers": 6, "decoder_layers": 6},
    "6+2": {"encoder_layers": 6, "decoder_layers": 2},
    "relu": {"activation_function": "relu"},
    "gelu": {"activation_function": "gelu"},
    "separate vocabularies": {"shared": False},
    "not tied": {"shared": False, "tie_word_embeddings": False},
    "without final bias": {"bias": False},
    "not scaled": {"scale_embedding": False},
    "pickled": {"pickled": True},
    "big": {
        "d_model": 64,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "encoder_ffn_dim": 256,
        "decoder_ffn_dim": 256,
        "encoder_attention_heads": 16,
        "decoder_attention_heads": 8,
    },
}


class Pair:
    """One folder, as attn and Transformers read it."""

    def __init__(self, folder, **settings) -> None:
        self.folder = write_folder(folder, **settings)
        self.model = read_model(self.folder, name="imported")
        self.reference = load_marian(self.folder)
        self.source_rows, self.target_rows = (
            each.rows for each in read_vocabularies(self.folder, read_config(self.folder))
        )


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    return Pair(tmp_path_factory.mktemp("plain"), spread=1.5)


@pytest.fixture(scope="module")
def bundle(imported, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle")
    imported.model.write(out)
    export(open_bundle(out), precision="fp32")
    return open_bundle(out)


def encode_lines(pair, lines):
    """Encode lines: the ids and lengths of attn, the ids and mask of Marian."""
    ids, lengths = pad_rows([pair.model.source.encode(line).ids for line in lines])
    marian_input = torch.tensor([marian_ids(pair.source_rows, row) for row in ids])
    mask = length_mask(torch.from_numpy(lengths), ids.shape[1])
    return ids, lengths, marian_input, mask


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_states_logits_and_attention_are_those_of_transformers(name, tmp_path):
    pair = Pair(tmp_path, **CONFIGURATIONS[name])
    lines = random_lines(5, seed=4)
    ids, lengths, marian_input, mask = encode_lines(pair, lines)
    targets, target_lengths = pad_rows([pair.model.target.encode(line).ids for line in lines[::-1]])
    marian_targets = torch.tensor([marian_ids(pair.target_rows, row) for row in targets])
    start = pair.reference.config.decoder_start_token_id
    shifted = torch.cat([torch.full((5, 1), start), marian_targets[:, :-1]], 1)
    with torch.no_grad():
        expected = pair.reference(
            input_ids=marian_input,
            attention_mask=mask.long(),
            decoder_input_ids=shifted,
            output_attentions=True,
        )
        network = pair.model.network
        src, src_len = torch.from_numpy(ids).long(), torch.from_numpy(lengths).long()
        states = network.encoder(network.source_embedding(src), src_len)
        tgt_in = torch.cat([torch.ones(5, 1).long(), torch.from_numpy(targets)[:, :-1].long()], 1)
        output = network(src, src_len, tgt_in)
        logits = network.output_projection(output.features)
    is_token = length_mask(torch.from_numpy(target_lengths), targets.shape[1])
    torch.testing.assert_close(
        states[mask], expected.encoder_last_hidden_state[mask], atol=1e-5, rtol=0
    )
    rows = torch.tensor(pair.target_rows[2:])  # without PAD and BOS, which are never generated
    torch.testing.assert_close(
        logits[..., 2:][is_token], expected.logits[..., rows][is_token], atol=1e-4, rtol=0
    )
    weights = torch.cat(expected.cross_attentions, 1).transpose(1, 2)  # (B, T, layers·heads, S)
    torch.testing.assert_close(output.weights[is_token], weights[is_token], atol=1e-5, rtol=0)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "separate"])
def test_ids_are_those_of_marians_tokenizer(tmp_path, shared):
    pair = Pair(tmp_path, shared=shared)
    tokenizer = load_tokenizer(pair.folder)
    special = ("</s>", "<pad>", "<unk>")  # which Transformers reads as such in a text
    lines = [line for line in ODD_LINES if not any(name in line for name in special)]
    lines += random_lines(1000 - len(lines), seed=6)
    assert len(lines) == 1000
    expected = tokenizer(lines)["input_ids"]
    source_ids = [
        marian_ids(pair.source_rows, pair.model.source.encode(each).ids) for each in lines
    ]
    assert source_ids == expected
    expected = tokenizer(text_target=lines[-200:])["input_ids"]
    ids = [pair.model.target.encode(each).ids for each in lines[-200:]]
    assert [marian_ids(pair.target_rows, each) for each in ids] == expected
    texts = [pair.model.target.decode(each).text for each in ids]
    assert texts == tokenizer.batch_decode(expected, skip_special_tokens=True)


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_translations_are_those_of_transformers(imported, bundle, engine, beam):
    lines = random_lines(20, seed=8)
    ids, lengths, marian_input, mask = encode_lines(imported, lines)
    max_length = int(2 * lengths.max()) + 10
    settings = SearchConfig(
        beam=beam, length_penalty=0.0, max_length_ratio=0.0, max_length_extra=max_length
    )
    hypotheses = search(open_decoder(bundle, EngineOptions(engine, "cpu")), ids, lengths, settings)
    with torch.no_grad():
        expected = imported.reference.generate(
            marian_input,
            attention_mask=mask.long(),
            num_beams=beam,
            length_penalty=0.0,
            max_new_tokens=max_length,
            do_sample=False,
            bad_words_ids=[[imported.reference.config.pad_token_id]],
        )
    tokenizer = load_tokenizer(imported.folder)
    texts = [imported.model.target.decode(row[0].ids).text for row in hypotheses]
    assert texts == tokenizer.batch_decode(expected, skip_special_tokens=True)
    assert len(set(texts)) > 2  # they depend on the source


def test_a_forced_target_has_the_log_probability_that_transformers_gives_it(imported, bundle):
    lines = random_lines(6, seed=9)
    ids, lengths, marian_input, mask = encode_lines(imported, lines)
    targets = [imported.model.target.encode(line).ids for line in lines[::-1]]
    hypotheses = force_decode(open_decoder(bundle, EngineOptions("onnx")), ids, lengths, targets)
    labels, _ = pad_rows(targets)
    marian_labels = torch.tensor([marian_ids(imported.target_rows, row) for row in labels])
    start = imported.reference.config.decoder_start_token_id
    shifted = torch.cat([torch.full((6, 1), start), marian_labels[:, :-1]], 1)
    with torch.no_grad():
        logits = imported.reference(
            input_ids=marian_input, attention_mask=mask.long(), decoder_input_ids=shifted
        ).logits
    logits[..., imported.reference.config.pad_token_id] = -torch.inf  # never generated
    logp = logits.log_softmax(-1).gather(2, marian_labels[..., None])[..., 0].numpy()
    for row, (hypothesis, target) in enumerate(zip(hypotheses, targets, strict=True)):
        np.testing.assert_allclose(hypothesis.token_logp, logp[row, : len(target)], atol=2e-4)
        assert hypothesis.ids[-1] == EOS


def test_a_bundle_has_the_languages_license_card_and_recipe_of_its_folder(bundle):
    recipe = bundle.recipe
    assert (recipe.source, recipe.target, recipe.license) == ("en", "fr", "cc-by-4.0")
    assert "A model of random weights" in (bundle.path / "MODEL_CARD.md").read_text()
    assert (recipe.model.norm_first, recipe.model.activation) == (False, "swish")
    assert recipe.tokenizer.pretokenization == "none"


def test_a_bundles_tokenizers_are_those_that_were_imported(imported, bundle):
    for line in random_lines(20, seed=3):
        for side in ("source", "target"):
            before, after = getattr(imported.model, side), getattr(bundle, side)
            assert after.encode(line).ids.tolist() == before.encode(line).ids.tolist()


# Folders that cannot be imported


def edit_config(**changes):
    def change(folder):
        tree = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(tree | changes))

    return change


class Malicious:
    def __reduce__(self):
        return (open, ("run", "w"))


def pickle_code(folder):
    (folder / "model.safetensors").unlink()
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"weight": Malicious()}, file)


def shorten(name, size):
    def change(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:size])

    return change


def remove(name):
    return lambda folder: (folder / name).unlink()


BROKEN = {
    "another kind": (edit_config(model_type="bert"), "'bert', not a Marian model"),
    "no kind": (edit_config(model_type=None), "not a Marian model"),
    "no width": (edit_config(d_model="wide"), "d_model is 'wide'"),
    "another width": (edit_config(d_model=64), "the shape"),
    "odd heads": (edit_config(encoder_attention_heads=5), "5 heads"),
    "more layers": (edit_config(encoder_layers=3), "no tensor model.encoder.layers.2"),
    "fewer layers": (edit_config(encoder_layers=1), "unknown tensor model.encoder.layers.1"),
    "an activation": (edit_config(activation_function="gelu_new"), "activation_function is"),
    "pad outside": (edit_config(pad_token_id=10**6), "no piece 1000000"),
    "learned positions": (
        edit_config(static_position_embeddings=False),
        "static_position_embeddings",
    ),
    "a vocabulary of another size": (edit_config(vocab_size=77), "77 pieces"),
    "no JSON": (shorten("config.json", 20), "not JSON"),
    "no vocabulary": (remove("vocab.json"), "no vocab.json"),
    "half a vocabulary": (shorten("vocab.json", 100), "not JSON"),
    "no source.spm": (remove("source.spm"), "no source.spm"),
    "half a source.spm": (shorten("source.spm", 1000), "SentencePiece"),
    "no weights": (remove("model.safetensors"), "neither model.safetensors"),
    "half the weights": (shorten("model.safetensors", 5000), "cannot read"),
    "weights that run code": (pickle_code, "other objects than tensors"),
}


@pytest.fixture(scope="module")
def valid_folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_or_unsupported_folder_is_refused_in_one_sentence(
    name, valid_folder, tmp_path, monkeypatch
):
    change, problem = BROKEN[name]
    folder = tmp_path / "folder"
    folder.mkdir()
    for file in valid_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    change(folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=problem) as error:
        read_model(folder, name="imported")
    assert error.value.hint
    assert "\n" not in error.value.problem
    assert not (tmp_path / "run").exists()
