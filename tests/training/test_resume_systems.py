"""An interrupted and resumed training of any network has the parameters of an uninterrupted one.

test_resume.py uses real signals and files; these tests run only the training loop.
"""

import math

import pytest
import torch
from program import PAIRS
from systems import model_of

from attn_cli import config
from attn_cli.data.batching import BatchIterator
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.nn.builder import build_model
from attn_cli.nn.device import select_hardware
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.training import checkpoint, reinforce
from attn_cli.training.early_stopping import ValidationScores
from attn_cli.training.trainer import Trainer

KINDS = {
    "hard": ("gru", "hard", "gru"),
    "input-feeding": ("lstm-2", "general", "lstm-2-input-feeding"),
    "transformer": ("transformer", "multihead", "transformer"),
}
SETTINGS = config.TrainConfig(
    max_steps=6,
    batch_tokens=60,
    warmup_steps=0,
    validate_every=3,
    average_checkpoints=0,
    precision="fp32",
)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "pairs.tsv"
    path.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS.items()), encoding="utf-8")
    corpus, _ = read_pairs(path)
    counts = corpus.source_counts() | corpus.target_counts()
    tokenizer = Tokenizer.train_on_counts(counts, config.TokenizerConfig(vocab_size=400))
    return segment_corpus(corpus, tokenizer, tokenizer), tokenizer.vocab_size


def trainer_of(kind, text, folder, **options):
    data, vocab = text
    torch.manual_seed(1)
    return Trainer(
        build_model(model_of(KINDS[kind]), source_vocab_size=vocab, target_vocab_size=vocab),
        BatchIterator(data, tokens=SETTINGS.batch_tokens, seed=1),
        lambda network: ValidationScores(loss=1.0, bleu=1.0, chrf=1.0),
        settings=SETTINGS,
        hardware=select_hardware("cpu", "fp32"),
        folder=folder,
        save_best=lambda tensors, scored: None,
        emit=lambda event: None,
        **options,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_of_any_network_resumes_to_the_same_parameters(
    kind, text, tmp_path
):
    whole = trainer_of(kind, text, tmp_path / "whole")
    whole.run()
    cut = trainer_of(kind, text, tmp_path / "cut", interrupted=lambda: cut.state.step >= 4)
    assert cut.run().step == 4
    torch.manual_seed(99)  # another process has other random numbers
    resumed = trainer_of(kind, text, tmp_path / "cut")
    resumed.resume()
    resumed.run()
    actual, expected = (unique_state_dict(each.network) for each in (resumed, whole))
    assert actual.keys() == expected.keys()
    assert all(actual[name].equal(expected[name]) for name in actual)
    last = [checkpoint.load(tmp_path / name / "last.safetensors") for name in ("cut", "whole")]
    assert last[0][0].keys() == last[1][0].keys()
    assert all(last[0][0][name].equal(last[1][0][name]) for name in last[0][0])
    assert resumed.state.reward == whole.state.reward
    assert (whole.state.reward is not None) == (kind == "hard")


def test_an_update_with_a_nan_loss_does_not_change_the_baseline(text, tmp_path, monkeypatch):
    original, calls = reinforce.log_likelihoods, iter(range(100))

    def nan_at_second_call(*arguments):
        return original(*arguments) * (math.nan if next(calls) == 1 else 1)

    monkeypatch.setattr(reinforce, "log_likelihoods", nan_at_second_call)
    trainer = trainer_of("hard", text, tmp_path)
    assert trainer.run().skipped == 1
    assert math.isfinite(trainer.state.reward)
