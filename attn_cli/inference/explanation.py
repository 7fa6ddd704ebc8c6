"""The eight steps of attention on one sentence, with the numbers of the network.

Beam search translates the sentence; then the network is forced along the translation and its inner
values are recorded.
"""

from typing import NamedTuple, Protocol

import numpy as np

from attn_cli.alignment.merge import build_alignment
from attn_cli.config import ModelConfig, Recipe
from attn_cli.errors import ModelError, UsageError, get_choice
from attn_cli.inference.engines.interface import select_heads
from attn_cli.inference.translator import Translator
from attn_cli.types import AttentionSteps, Explanation, InputLine, IntArray, TokenizedLine

#: Most probable pieces that step 8 lists.
CANDIDATES = 5

#: Source or target pieces of the longest sentence that can be explained.
MAX_PIECES = 200


class AttentionTracer(Protocol):
    """A network that records its attention."""

    def trace_attention(self, ids: IntArray, target: IntArray) -> AttentionSteps:
        """(S,) source pieces and (T,) target pieces, EOS last → every step of attention."""
        ...


def explain(
    text: str,
    translator: Translator,
    tracer: AttentionTracer,
    recipe: Recipe,
    *,
    layer: int | None = None,
    head: int | None = None,
) -> Explanation:
    """Translate a sentence and record the eight steps of attention.

    `layer` and `head` count from 1; by default those of the recipe's [decode]. The table is that of
    `head`, or with a layer alone the mean of its heads.

    Raises UsageError for a blank line, for several sentences that are translated one by one, for a
    sentence that is too long, and for a layer or head that does not exist; ModelError for a network
    without attention.
    """
    if recipe.model.attention.kind == "none" and recipe.model.decoder.kind == "recurrent":
        raise ModelError(
            f"the model {recipe.name} has no attention: it encodes the sentence as one vector",
            "Name another model.",
        )
    source, target = _translate(text, translator)
    steps = tracer.trace_attention(source.ids, target.ids)
    decode = recipe.decode
    if head is None:  # that of the recipe is a head of its own layer
        head = decode.attention_head if layer is None else 0
    selection = select_heads(recipe.model, layer=layer or decode.attention_layer, head=head)
    indices = selection.indices or tuple(range(len(steps.heads)))
    weights = np.stack([steps.heads[index].weights for index in indices]).mean(0)  # (T, S)
    best = np.argsort(-steps.logp, axis=1, kind="stable")[:, :CANDIDATES]  # (T, C)
    return Explanation(
        model=recipe.name,
        attention=_kind(recipe.model),
        normalizer=_normalizer(recipe.model),
        formulas=formulas(recipe.model),
        source=source,
        target=target,
        steps=steps,
        head_indices=indices,
        table=build_alignment(
            weights.astype(np.float32), source, target, kind="attention", mode="decoded"
        ),
        candidates=tuple(
            tuple((translator.target.piece(int(i)), float(np.exp(logp[i]))) for i in row)
            for row, logp in zip(best, steps.logp, strict=True)
        ),
        probs=tuple(np.exp(steps.logp[np.arange(len(target.ids)), target.ids]).tolist()),
    )


def _translate(text: str, translator: Translator) -> tuple[TokenizedLine, TokenizedLine]:
    """Return the line and its best translation in pieces."""
    line = InputLine(1, text)
    source, *others = translator.encode(line)
    if others:
        raise UsageError(
            f"the line has {len(others) + 1} sentences, which are translated one by one",
            "Give one sentence.",
        )
    if not source.words or source.has_only_literals:
        raise UsageError("the line has no word to translate", 'Give a sentence: "I love you".')
    if len(source.ids) > MAX_PIECES:
        raise UsageError(
            f"the sentence has {len(source.ids)} pieces; at most {MAX_PIECES} are possible",
            "Give a shorter one.",
        )
    (translation,) = translator.translate([line])
    return source, translator.detokenize(translation.hypotheses[0], source)


def _kind(model: ModelConfig) -> str:
    """Return the kind of attention, such as "additive", "local (general)" or "multihead"."""
    if model.decoder.kind == "transformer":
        return "multihead"
    settings = model.attention
    if settings.kind in ("local", "hard", "multihead"):
        return f"{settings.kind} ({settings.scorer})"
    return settings.kind


def _normalizer(model: ModelConfig) -> str:
    return "softmax" if model.decoder.kind == "transformer" else model.attention.normalizer


class _ScorerFormulas(NamedTuple):
    """Steps 2 to 4 of a scorer: `s` is the decoder's state, `g` the activation."""

    query: str
    key: str
    energy: str


#: The formulas of each scorer of a recipe.
SCORER_FORMULAS: dict[str, _ScorerFormulas] = {
    "additive": _ScorerFormulas("q_i = W {s}", "k_j = U h_j", "e_ij = vᵀ {g}(q_i + k_j{coverage})"),
    "dot": _ScorerFormulas("q_i = {s}", "k_j = h_j", "e_ij = q_iᵀ k_j"),
    "general": _ScorerFormulas("q_i = {s}", "k_j = W h_j", "e_ij = q_iᵀ k_j"),
    "scaled_dot": _ScorerFormulas("q_i = W_Q {s} / √A", "k_j = W_K h_j", "e_ij = q_iᵀ k_j"),
}
_WEIGHTS = {
    "softmax": "a_ij = exp(e_ij) / Σ_k exp(e_ik)",
    "sparsemax": "a_i = sparsemax(e_i)",
    "entmax": "a_i = entmax(e_i)",
}


def formulas(model: ModelConfig) -> tuple[str, ...]:
    """Return the formulas of the eight steps of a network, in the symbols of the papers."""
    if model.decoder.kind == "transformer":
        query, key, value = "q_i = W_Q s_i", "k_j = W_K h_j", "v_j = W_V h_j"
        score, weight = "e_ij = q_iᵀ k_j / √d", _WEIGHTS["softmax"]
        context, predict = "c_i = Σ_j a_ij v_j", "p(y_i) = softmax(W t_i)"
        return (
            _encoder(model),
            query,
            f"{key},  {value}",
            score,
            weight,
            "a_ij v_j",
            context,
            predict,
        )
    settings = model.attention
    scorer = get_choice(SCORER_FORMULAS, model.scorer, "a scorer")
    has_input_feeding = model.decoder.input_feeding
    value = "v_j = V h_j" if settings.kind in ("multihead", "scaled_dot") else "v_j = h_j"
    weight = _WEIGHTS[settings.normalizer]
    if settings.kind == "hard":
        weight = "a_ij = 1 at the largest p_ij = softmax(e_i)_j, else 0"
    cell = model.decoder.cell.upper()
    update = (
        "h̃_i = tanh(W [c_i ; s_i]),  p(y_i) = softmax(W′ h̃_i)"
        if has_input_feeding
        else f"s_i = {cell}(s_i−1, [E y_i−1 ; c_i]),  p(y_i) = softmax(W′ t_i)"
    )
    return (
        _encoder(model),
        scorer.query.format(s="s_i" if has_input_feeding else "s_i−1"),
        f"{scorer.key},  {value}",
        _energy(model, scorer),
        weight,
        "a_ij v_j",
        "c_i = Σ_j a_ij v_j",
        update,
    )


def _encoder(model: ModelConfig) -> str:
    encoder = model.encoder
    if encoder.kind == "transformer":
        return "h = Transformer(E x + positions)"
    cell = encoder.cell.upper()
    return f"h_j = [→{cell} ; ←{cell}](E x)" if encoder.bidirectional else f"h_j = {cell}(E x)"


def _energy(model: ModelConfig, scorer: _ScorerFormulas) -> str:
    settings = model.attention
    coverage = " + w C_ij" if settings.coverage else ""
    energy = scorer.energy.format(g=settings.activation, coverage=coverage)
    return energy + (" − 2 (j − p_i)² / D²" if settings.kind == "local" else "")
