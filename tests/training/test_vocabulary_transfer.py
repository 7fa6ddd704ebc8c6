"""Training that starts from a model with another vocabulary."""

import torch
from program import TINY, WORD_ALIGNER, attn

from attn_cli.bundles.bundle import open_bundle
from attn_cli.config import TokenizerConfig
from attn_cli.data.literals import LiteralRules
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.training import checkpoint
from attn_cli.training.vocabulary_transfer import transfer_vocabulary


def _weights(bundle):
    return checkpoint.load(bundle.weights)[0]


def test_the_same_vocabulary_changes_no_tensor(tiny) -> None:
    start = open_bundle(tiny)
    tensors = _weights(start)
    transferred = transfer_vocabulary(tensors, start, (start.source, start.target))
    assert transferred.keys() == tensors.keys()
    assert all(transferred[name] is tensor for name, tensor in tensors.items())


def test_a_known_piece_keeps_its_row_and_a_new_one_is_the_mean_of_its_parts(tiny) -> None:
    start = open_bundle(tiny)
    old = start.source
    lines = ["the cat sat with the other cats"] * 3 + ["je t'aime bien"]
    settings = TokenizerConfig(vocab_size=320, literals=True)
    new = Tokenizer.train(lines, settings, literals=LiteralRules("en", "fr"))
    tensors = _weights(start)
    transferred = transfer_vocabulary(tensors, start, (new, new))
    name = "source_embedding.embedding.weight"
    table, rows = tensors[name], transferred[name]
    assert rows.shape == (new.vocab_size, table.shape[1])
    assert transferred["output_projection.bias"].shape == (new.vocab_size,)
    known = {old.piece(id): id for id in range(old.vocab_size)}
    kinds = set()
    for id in range(new.vocab_size):
        piece = new.piece(id)
        if piece in known:
            expected = table[known[piece]]
        elif id in new.placeholders:
            expected = table.mean(0)
        else:
            parts = old.segment(piece.replace("\u2581", " "))
            expected = sum(table[part] for part in parts) / len(parts)
        kinds.add((piece in known, id in new.placeholders))
        torch.testing.assert_close(rows[id], expected)
    assert len(kinds) == 3
    others = {key for key in tensors if not key.startswith(("source_emb", "target_emb", "output_"))}
    assert others
    assert all(transferred[key] is tensors[key] for key in others)


def test_a_training_from_a_model_can_use_a_vocabulary_of_its_new_text(
    tiny_with_aligner, tmp_path
) -> None:
    text = tmp_path / "new.tsv"
    text.write_text("a zebra sleeps\tun zèbre dort\nthe zebra\tle zèbre\n" * 4, encoding="utf-8")
    links = tmp_path / "new.links"
    links.write_text("0-0 1-1 2-2\n0-0 1-1\n" * 4)
    out = tmp_path / "out"
    options = (
        "--from",
        tiny_with_aligner,
        "--pairs",
        text,
        "--valid-pairs",
        text,
        "--out",
        out,
        *TINY,
        *WORD_ALIGNER,
    )
    new = ("--set", "train.new_vocabulary=true", "--set", "tokenizer.vocab_size=330")
    refused = attn("train", *options, *new, "--set", "train.freeze_aligner=true")
    assert refused.status == 2
    assert "train.freeze_aligner=false" in refused.err
    new = (*new, "--set", "train.freeze_aligner=false", "--set", f"train.guided_alignment={links}")
    result = attn("train", *options, *new, "--max-steps", "2")
    assert result.status == 0, result.err
    model = open_bundle(out)
    assert model.source.to_bytes() != open_bundle(tiny_with_aligner).source.to_bytes()
    pieces = [model.source.piece(id) for id in range(model.source.vocab_size)]
    assert any("z" in piece for piece in pieces)
    assert attn("translate", "-m", out, "a zebra").status == 0
