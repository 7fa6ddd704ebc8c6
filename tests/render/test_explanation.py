"""The eight steps: the displayed numbers give the table, for each kind of attention and head."""

import json
import re
from io import StringIO

import numpy as np
import pytest
import torch
from rich.cells import cell_len
from rich.console import Console
from systems import ACTIVATIONS, WITH_ATTENTION, model_of, name_of, network_of, random_batch

from attn_cli.alignment.merge import build_alignment
from attn_cli.inference.engines.interface import select_heads
from attn_cli.inference.explanation import formulas
from attn_cli.nn.attention_trace import trace_attention
from attn_cli.render.explanation import STEPS, ExplanationView, StepView
from attn_cli.render.explanation_records import explanation_jsonl, explanation_records
from attn_cli.render.explanation_walk import Position, walk
from attn_cli.render.terminal import plain
from attn_cli.types import Explanation, TokenizedLine, Word

each_system = pytest.mark.parametrize("system", WITH_ATTENTION, ids=map(name_of, WITH_ATTENTION))


def tokenized_line(ids, name: str) -> TokenizedLine:
    """Return a line of two-piece words, except the last; each piece starts with `name`."""
    count = len(ids) - 1
    word_of = np.append(np.arange(count) // 2, -1).astype(np.int32)
    words = tuple(Word(f"{name}{w}", 3 * w, 3 * w + 2) for w in range((count + 1) // 2))
    pieces = (*(f"▁{name}{n}" for n in range(count)), "</s>")
    return TokenizedLine(" ".join(w.text for w in words), ids, pieces, word_of, words)


def explanation_of(system) -> Explanation:
    """Return the explanation of a tiny network on random pieces."""
    ids, _ = random_batch(2, 7)
    source, target = tokenized_line(ids[0], "s"), tokenized_line(ids[0][1:], "t")
    pieces = (torch.from_numpy(each.ids.astype(np.int64)) for each in (source, target))
    with torch.inference_mode():
        steps = trace_attention(network_of(system), *pieces)
    model = model_of(system)
    indices = select_heads(model).indices or tuple(range(len(steps.heads)))
    weights = np.mean([steps.heads[index].weights for index in indices], axis=0)
    table = build_alignment(weights, source, target, kind="attention", mode="decoded")
    best = steps.logp.argsort(1)[:, ::-1][:, :5]
    candidates = tuple(
        tuple((f"▁v{i}", float(np.exp(row[i]))) for i in of_row)
        for row, of_row in zip(steps.logp, best, strict=True)
    )
    kind, normalizer = "tiny", model.attention.normalizer
    if model.decoder.kind == "transformer":
        normalizer = "softmax"
    return Explanation(
        "m", kind, normalizer, formulas(model), source, target, steps, indices, table, candidates,
        tuple(np.exp(steps.logp[np.arange(len(target.ids)), target.ids]).tolist()),
    )  # fmt: skip


def normalize(energies: np.ndarray, normalizer: str) -> np.ndarray:
    """Return the weights of step 5; sparsemax and entmax are tested in test_normalizers.py."""
    if normalizer != "softmax":
        from attn_cli.nn.normalizers import NORMALIZERS

        return NORMALIZERS[normalizer](torch.tensor(energies)).numpy()
    weights = np.exp(energies - energies.max())
    return weights / weights.sum()


def with_infinities(row: list) -> np.ndarray:
    """Return the numbers of a record, with minus infinity for null."""
    return np.array([-np.inf if value is None else value for value in row])


@each_system
def test_steps_4_to_7_recomputed_from_the_records_give_the_table(system):
    explanation = explanation_of(system)
    records = [json.loads(explanation_jsonl(record)) for record in explanation_records(explanation)]
    of_step = {n: [r for r in records if r["step"] == n and "weights" not in r] for n in range(9)}
    keys = {(r["layer"], r["head"]): r for r in of_step[3]}
    queries = {(r["layer"], r["head"], r["index"]): np.array(r["query"]) for r in of_step[2]}
    contexts = {(r["layer"], r["head"], r["index"]): np.array(r["context"]) for r in of_step[7]}
    size = len(explanation.target.ids), len(explanation.source.ids)
    total = np.zeros(size)
    for record in of_step[4]:
        head = record["layer"], record["head"]
        i, score, k = record["index"], keys[head]["score"], np.array(keys[head]["keys"])
        query = queries[*head, i]
        if score["kind"] == "dot":
            energies = score["scale"] * k @ query
        else:
            inside = query + k
            if score["coverage_vector"]:
                inside = inside + np.outer(record["coverage"], score["coverage_vector"])
            energies = ACTIVATIONS[score["activation"]](inside) @ score["vector"]
        np.testing.assert_allclose(energies, record["energies"], atol=1e-3)  # step 4
        energies = np.array(record["energies"])
        if record["bias"] is not None:
            energies = energies + with_infinities(record["bias"])
        weights = normalize(energies, explanation.normalizer)  # step 5
        if system[1] == "hard":
            weights = np.eye(len(weights))[weights.argmax()]
        values = np.array(keys[head]["values"])
        context = (weights[:, None] * values).sum(0)  # steps 6 and 7
        np.testing.assert_allclose(context, contexts[*head, i], atol=1e-3)
        total[i] += weights / len(explanation.head_indices)
    (table,) = [r for r in records if r["name"] == "table"]
    source, target = explanation.source, explanation.target
    merged = build_alignment(
        total.astype(np.float32), source, target, kind="attention", mode="decoded"
    )
    np.testing.assert_allclose(merged.weights, table["weights"], atol=1e-3)


def step_text(explanation: Explanation, step: int, **options) -> str:
    return plain(StepView(explanation, step, **options), width=100)


def numbers(text: str, row: str) -> list[float]:
    """Return the numbers in the row of a piece."""
    (line,) = re.findall(rf"^\s*{row} (.*)$", text, re.MULTILINE)
    return [float(n.replace("−", "-")) for n in re.findall(r"−?\d+\.\d+", line)]


ADDITIVE = next(each for each in WITH_ATTENTION if each[1] == "additive")


def test_steps_5_to_7_recomputed_from_the_text_give_the_context():
    explanation = explanation_of(ADDITIVE)
    pieces = explanation.source.pieces
    target = list(explanation.target.word_ids).index(2)  # a word of one piece
    energies = np.array([numbers(step_text(explanation, 4, word=2), piece)[0] for piece in pieces])
    weights = np.exp(energies - energies.max())
    weights /= weights.sum()
    printed = [numbers(step_text(explanation, 5, word=2), piece)[2] for piece in pieces]
    np.testing.assert_allclose(weights, printed, atol=1e-3)
    rows = [numbers(step_text(explanation, 6, word=2), piece) for piece in pieces]
    n = (len(rows[0]) - 1) // 2
    values, products = np.array(rows)[:, 1 : n + 1], np.array(rows)[:, n + 1 :]
    np.testing.assert_allclose(np.array(printed)[:, None] * values, products, atol=2e-3)
    context = numbers(step_text(explanation, 7, word=2), "c_i")[:n]
    np.testing.assert_allclose(products.sum(0), context, atol=5e-3)
    np.testing.assert_allclose(context, explanation.steps.heads[0].contexts[target, :n], atol=1e-3)


@each_system
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(system, width):
    text = plain(ExplanationView(explanation_of(system), words=(0, 1)), width=width)
    assert max(map(cell_len, text.splitlines())) <= width


def test_a_word_of_two_pieces_has_a_block_for_each():
    text = step_text(explanation_of(ADDITIVE), 4, word=0)
    assert "for ▁t0: piece 1 of 2" in text
    assert "for ▁t1: piece 2 of 2" in text


def test_a_layer_of_several_heads_shows_their_weights_and_the_mean():
    explanation = explanation_of(("transformer", "multihead", "transformer"))
    text = step_text(explanation, 5, word=2)
    assert "head 1" in text
    assert "head 2" in text
    i = list(explanation.target.word_ids).index(2)
    mean = np.mean(
        [explanation.steps.heads[h].weights[i] for h in explanation.head_indices], axis=0
    )
    _, below = text.split("mean\n")
    means = [numbers(below, piece)[0] for piece in explanation.source.pieces]
    np.testing.assert_allclose(means, mean, atol=1e-4)


def test_the_chosen_piece_is_listed_below_the_most_probable_pieces():
    text = step_text(explanation_of(ADDITIVE), 8, word=2)
    assert re.search(r"^→ +▁t4 +0\.\d{4}", text, re.MULTILINE)


def test_the_formulas_are_those_of_the_network():
    assert formulas(model_of(ADDITIVE))[3] == "e_ij = vᵀ tanh(q_i + k_j)"
    coverage = next(each for each in WITH_ATTENTION if each[1] == "coverage")
    assert "w C_ij" in formulas(model_of(coverage))[3]
    transformer = model_of(("transformer", "multihead", "transformer"))
    assert formulas(transformer)[3] == "e_ij = q_iᵀ k_j / √d"


def test_keys_select_the_step_and_the_word():
    explanation = explanation_of(ADDITIVE)
    position = Position()
    for key in ("right", "space", "down", "left", "x"):
        position = position.after(key, explanation)
    assert position == Position(step=2, word=1)
    assert position.after("up", explanation).after("up", explanation).word == 2
    assert position.after("7", explanation).step == 7
    assert Position(step=9).after("right", explanation).step == 9
    assert Position().after("left", explanation).step == 1


def test_a_walk_shows_each_step_that_its_keys_select():
    screen = Console(file=StringIO(), force_terminal=True, width=80, height=24, _environ={})
    walk(explanation_of(ADDITIVE), iter(["5", "t", "q", "1"]), screen, start=Position())
    text = screen.file.getvalue()
    for name in ("Encode", "Normalize", "quit"):
        assert name in text
    assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") == 1


def test_a_step_larger_than_the_terminal_scrolls():
    screen = Console(file=StringIO(), force_terminal=True, width=80, height=10, _environ={})
    walk(explanation_of(ADDITIVE), iter("5jjj"), screen, start=Position())
    more_lines = [int(n) for n in re.findall(r"(\d+) more lines", screen.file.getvalue())]
    assert more_lines[-4:] == list(range(more_lines[-4], more_lines[-4] - 4, -1))  # 5, j, j, j


def test_every_step_has_a_name_and_a_sentence_that_fits_80_cells():
    assert len(STEPS) == 8
    assert all(len(sentence) <= 77 for _, sentence in STEPS)
