"""A word aligner with source and target exchanged is that of the opposite direction."""

import pytest
import torch
from scripts import import_scripts

from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.nn.word_aligner import WordAligner, WordGroups


@pytest.fixture(scope="module")
def script():
    with import_scripts("general", "reverse_aligner") as (module,):
        yield module


def aligner(*, source_vocab, target_vocab, shared):
    torch.manual_seed(3)
    network = WordAligner(
        source_vocab_size=source_vocab, target_vocab_size=target_vocab, share_embeddings=shared,
        embedding_size=6, width=5, channels=2, dropout=0.0,
    )  # fmt: skip
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def words(*lengths, vocab):
    """A batch of sentences whose words are one or two pieces long."""
    ids = torch.randint(0, vocab, (len(lengths), 2 * max(lengths)))
    mean = torch.zeros(len(lengths), max(lengths), 2 * max(lengths))
    for row, length in enumerate(lengths):
        for word in range(length):
            pieces = [2 * word, 2 * word + 1][: 1 + word % 2]
            mean[row, word, pieces] = 1 / len(pieces)
    return WordGroups(ids, mean)


@pytest.mark.parametrize(("source_vocab", "target_vocab", "shared"), [(9, 9, True), (9, 7, False)])
def test_a_reversed_aligner_gives_the_same_probabilities_for_exchanged_sides(
    script, source_vocab, target_vocab, shared
):
    network = aligner(source_vocab=source_vocab, target_vocab=target_vocab, shared=shared)
    opposite = aligner(source_vocab=target_vocab, target_vocab=source_vocab, shared=shared)
    state = script.reverse(network.state_dict())
    with torch.no_grad():
        names = unique_state_dict(opposite)
        load_state(opposite, {name: state[name] for name in names}, where="here")
        source, target = words(4, 2, vocab=source_vocab), words(3, 5, vocab=target_vocab)
        forward_output, reverse_output = network(source, target), opposite(target, source)
    assert torch.allclose(
        forward_output.to_source.transpose(1, 2), reverse_output.to_target, atol=1e-5
    )
    assert torch.allclose(
        forward_output.to_target.transpose(1, 2), reverse_output.to_source, atol=1e-5
    )
    assert not torch.allclose(
        forward_output.link_probs[0, :3, :3], forward_output.link_probs[0, :3, :3].T, atol=0.1
    )
