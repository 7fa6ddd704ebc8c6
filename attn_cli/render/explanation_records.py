"""Write the eight steps of attention as JSON Lines, with all numbers: records for each step.

Steps 1 and 3 have a record for the sentence, the others one for each target piece; steps 2 to 7
have one for each head. Numbers have six significant digits.
"""

import json
import math
from collections.abc import Collection, Iterator
from typing import Any

from attn_cli.render.explanation import STEPS
from attn_cli.types import Explanation, FloatArray, HeadSteps


def explanation_records(
    explanation: Explanation,
    *,
    steps: Collection[int] = range(1, 9),
    words: Collection[int] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the records of these steps, and with step 5 that of the table.

    `words` are indices of target words whose pieces have records; None is all pieces, EOS included.
    """
    for step in sorted(steps):
        for fields in _RECORDS[step](explanation, _pieces(explanation, words)):
            yield {"step": step, "name": STEPS[step - 1][0].lower(), **fields}
        if step == 5:
            yield _table(explanation)


def explanation_jsonl(record: dict[str, Any]) -> str:
    """Return a record as a line of JSON, without its line end."""
    return json.dumps(record, ensure_ascii=False)


def _pieces(explanation: Explanation, words: Collection[int] | None) -> list[int]:
    """Return the indices of the target pieces of these words."""
    word_of = explanation.target.word_ids.tolist()
    return [i for i, word in enumerate(word_of) if words is None or word in words]


def _heads(explanation: Explanation) -> list[HeadSteps]:
    return [explanation.steps.heads[index] for index in explanation.head_indices]


def _encode(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    source, steps = explanation.source, explanation.steps
    yield {
        "source": source.raw,
        "target": explanation.target.raw,
        "model": explanation.model,
        "attention": explanation.attention,
        "normalizer": explanation.normalizer,
        "formulas": list(explanation.formulas),
        "pieces": list(source.pieces),
        "word_of": source.word_ids.tolist(),
        "embeddings": _numbers(steps.embeddings),
        "states": _numbers(steps.states),
    }


def _keys(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for head in _heads(explanation):
        score = head.score
        yield {
            "layer": head.layer,
            "head": head.head,
            "keys": _numbers(head.keys),
            "values": _numbers(head.values),
            "score": {
                "kind": score.kind,
                "scale": _number(score.scale),
                "activation": score.activation,
                "vector": None if score.vector is None else _numbers(score.vector),
                "coverage_vector": None
                if score.coverage_vector is None
                else _numbers(score.coverage_vector),
            },
        }


def _of_heads(
    explanation: Explanation, pieces: list[int], name: str
) -> Iterator[tuple[HeadSteps, int, dict[str, Any]]]:
    """Yield each head and target piece, with their fields and a row of the array `name`."""
    for i in pieces:
        for head in _heads(explanation):
            fields = {**_piece(explanation, i), "layer": head.layer, "head": head.head}
            yield head, i, fields | ({name: _numbers(getattr(head, name)[i])} if name else {})


def _piece(explanation: Explanation, i: int) -> dict[str, Any]:
    target = explanation.target
    return {"index": i, "piece": target.pieces[i], "word": int(target.word_ids[i])}


def _queries(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for head, i, fields in _of_heads(explanation, pieces, ""):
        yield {**fields, "query": _numbers(head.queries[i])}


def _energies(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for head, i, fields in _of_heads(explanation, pieces, "energies"):
        for name, array in (("coverage", head.coverage), ("bias", head.bias)):
            fields[name] = None if array is None else _numbers(array[i])
        yield fields


def _weights(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for head, i, fields in _of_heads(explanation, pieces, "weights"):
        yield {**fields, "probs": _numbers(head.probs[i])}


def _weighted_values(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for head, i, fields in _of_heads(explanation, pieces, ""):
        yield {**fields, "weighted": _numbers(head.weights[i][:, None] * head.values)}


def _contexts(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for head, i, fields in _of_heads(explanation, pieces, ""):
        yield {**fields, "context": _numbers(head.contexts[i])}


def _predictions(explanation: Explanation, pieces: list[int]) -> Iterator[dict[str, Any]]:
    for i in pieces:
        yield {
            **_piece(explanation, i),
            "prob": _number(explanation.probs[i]),
            "candidates": [[piece, _number(prob)] for piece, prob in explanation.candidates[i]],
        }


def _table(explanation: Explanation) -> dict[str, Any]:
    table = explanation.table
    return {
        "step": 5,
        "name": "table",
        "source_words": list(table.source),
        "target_words": list(table.target),
        "weights": _numbers(table.weights),
    }


_RECORDS = {
    1: _encode,
    2: _queries,
    3: _keys,
    4: _energies,
    5: _weights,
    6: _weighted_values,
    7: _contexts,
    8: _predictions,
}


def _numbers(array: FloatArray) -> list[Any]:
    if array.ndim > 1:
        return [_numbers(row) for row in array]
    return [_number(value) for value in array.tolist()]


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None
