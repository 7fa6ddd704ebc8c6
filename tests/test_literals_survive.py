"""A translation has each literal of its line once, and no other digit, with any network.

The networks here have random parameters, or are trained very little.
"""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program import PAIRS, TINY, attn

from attn_cli import config
from attn_cli.data.casing import CaseRules
from attn_cli.data.literals import LiteralRules
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.confidence import FEATURES, Calibration
from attn_cli.inference.engines.interface import StepOutput
from attn_cli.inference.generation import BeamSearchGenerator
from attn_cli.inference.neural_alignment import NullAligner
from attn_cli.inference.pair_aligner import PairAligner
from attn_cli.inference.translator import Translator
from attn_cli.types import InputLine, Translation

LINES = [
    "I love you, and you love me, but the children are not playing with him.",
    "In 2010 it cost 12 or 5, not 1,250: a good price for who knows what.",
    "Je t'aime et tu m'aimes, 12 ou 5, mais la voiture est trop chère.",
    "Les enfants jouent dans la cour, n'est-ce pas ? Qui sait ?",
    "; : ( ) [ ] { } < > / & % $ @ # _ ` ~ + = * - ! ? \" '",
    "QUICK ZEBRAS JUMP OVER FOGGY VALLEYS WITH EXTRA CAKE. quick zebras jump over foggy valleys",
] * 3


def vocabulary(*, literals: bool = True) -> Tokenizer:
    settings = config.TokenizerConfig(vocab_size=500, literals=literals)
    return Tokenizer.train(LINES, settings, literals=LiteralRules("en", "fr") if literals else None)


TOKENIZER = vocabulary()


class RandomDecoder:
    """A decoder of random probabilities, which depend on the previous piece and on the line."""

    def __init__(self, vocab: int) -> None:
        logits = np.random.default_rng(1).normal(scale=2, size=(5, vocab, vocab))
        logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        self.logp = logp.astype(np.float32)
        self.best = np.argsort(-self.logp, axis=-1, kind="stable")[..., :20].astype(np.int32)

    def encode(self, ids, lengths):
        return ids.sum(1) % 5, lengths, ids.shape[1]

    def start(self, source, beam):
        return (*source, beam)

    def step(self, state, previous, gold=None):
        kind, lengths, size, beam = state
        best = self.best[kind, previous][:, :beam]
        weights = (np.arange(size) < lengths[:, None]) / lengths[:, None]
        return StepOutput(
            best,
            self.logp[kind[:, None], previous[:, None], best],
            None if gold is None else self.logp[kind, previous, gold],
            weights.astype(np.float32),
            state,
        )

    def reorder(self, state, rows):
        return state[0][rows], state[1][rows], *state[2:]


RANDOM_DECODER = RandomDecoder(TOKENIZER.vocab_size)


def translator(*, beam: int = 2, **options) -> Translator:
    return Translator(
        BeamSearchGenerator(RANDOM_DECODER),
        TOKENIZER,
        TOKENIZER,
        SearchConfig(beam=beam),
        split_over=50,
        case_rules=CaseRules(all_caps=True, truecase=True),
        **options,
    )


def translate(*lines: str, **options) -> list[Translation]:
    return translator(**options).translate([InputLine(n, line) for n, line in enumerate(lines, 1)])


def check_translation(line: str, translation: Translation) -> None:
    """Check that a translation has each literal of its line, and no other digit."""
    digits, expected = (Counter(filter(str.isdecimal, text)) for text in (translation.text, line))
    assert digits == expected, (line, translation.text)
    literals = TOKENIZER.find_literals(line)
    if TOKENIZER.encode(line).has_only_literals:
        assert translation.text == line.strip()
        return
    expected_words = Counter(
        TOKENIZER.literals.rewrite(line[each.start : each.end], is_figure=each.is_figure)
        for each in literals
    )
    words = Counter(translation.target_words)
    assert all(words[text] >= count for text, count in expected_words.items()), (
        line,
        translation.text,
    )


# Generated sentences


def _figure(rng: random.Random) -> str:
    return rng.choice(
        [
            str(rng.randint(0, 99_999)),
            f"{rng.randint(1000, 9_999_999):,}",
            f"{rng.random() * 100:.2f}",
            f"${rng.randint(1, 999)}.{rng.randint(10, 99)}",
            f"{rng.randint(1, 100)}%",
            f"{rng.randint(0, 23)}:{rng.randint(10, 59)}",
            f"{rng.randint(1900, 2030)}-{rng.randint(10, 12)}-{rng.randint(10, 28)}",
            *("-7", "19th", "25kg", "1/2", "06 12 34 56 78", "$5 million", "3:30 pm", "9 a.m."),
        ]
    )


def _other(rng: random.Random) -> str:
    return rng.choice(
        [
            *("https://a.b/c?x=1", "a.b@c.fr", "@name", "#tag", "`x + 1`", "{name}", "%s", "❤️"),
            *("😀😀", "/etc/hosts", "notes.txt", "COVID-19", "привет", "我爱你", "Xqwzghk", "<b>"),
            *("my_name", "m²", "www.x.org", "%(count)d", "C:\\Users\\me", "ⅷ", "١٢"),
        ]
    )


def sentence(rng: random.Random) -> str:
    """Return random words, figures and other literals, with punctuation between some of them."""
    words = " ".join(LINES[:2]).replace("2010", "").replace("12", "").split()
    words = [word for word in words if word.isalpha()]
    text = ""
    for _ in range(rng.choice([1, 3, 6, 10, 16, 40])):
        kind = rng.random()
        text += _figure(rng) if kind < 0.2 else _other(rng) if kind < 0.35 else rng.choice(words)
        text += rng.choice([" ", " ", " ", " ", ", ", ". ", "; ", " (", ") ", ": "])
    return text.strip()


@pytest.mark.parametrize("beam", [1, 4])
def test_literals_of_generated_sentences_survive(beam: int) -> None:
    rng = random.Random(beam)
    lines = [sentence(rng) for _ in range(300)]
    for line, translation in zip(lines, translate(*lines, beam=beam), strict=True):
        check_translation(line, translation)


FRAGMENTS = st.sampled_from(
    [
        *"aéI1٣½²'’-–.,:;!?/$€%()[]{}<>@#_&`~\\+=\"«»€我я\u0301\u200d\u200b\ufdd0\ufffd\ud800",
        *("12", "1,250", "1 250", "3:30", "10h30", "th", "❤️", "🇫🇷", "<num0>", "<lit5>", "<0x31>"),
        *(" ", "  ", "\u00a0", " love ", " you. ", " QUICK ", " Xqwzghk ", "http://a.b", "{x}"),
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(FRAGMENTS, max_size=30).map("".join)))
@settings(derandomize=True, deadline=None)
def test_the_translation_of_any_text_has_the_same_digits(line: str) -> None:
    line = " ".join(line.splitlines())
    (translation,) = translate(line, beam=2, align=True)
    digits, expected = (Counter(filter(str.isdecimal, text)) for text in (translation.text, line))
    assert digits == expected
    if not line.strip():
        assert translation.text == ""
        return
    assert translation.alignment.weights.shape == (
        len(translation.target_words),
        len(translation.source_words),
    )


# Lines with nothing to translate


@pytest.mark.parametrize(
    "line",
    ["123", ".", "1,250", "12.5%, 10:30!", "❤️", "http://a.b", "привет, мир", "我爱你。", "- 5 -"],
)  # fmt: skip
@pytest.mark.parametrize("aligner", [None, NullAligner()])
def test_a_line_with_nothing_to_translate_is_returned_unchanged(line: str, aligner) -> None:
    (translation,) = translate(line, align=True, aligner=aligner)
    assert translation.text == line
    assert translation.texts == (line,)
    assert translation.source_words == translation.target_words
    np.testing.assert_array_equal(
        translation.alignment.link_scores, np.eye(len(translation.source_words))
    )
    assert translation.hypotheses[0].mean_logp == 0


def test_a_line_of_many_numbers_is_returned_unchanged() -> None:
    line = ", ".join(str(number) for number in range(1000, 1090))
    assert translate(line)[0].text == line


# Words


def test_a_literal_is_one_word_of_both_sides() -> None:
    (translation,) = translate("you paid $12.50 to a.b@c.fr", align=True)
    assert translation.source_words == ("you", "paid", "$12.50", "to", "a.b@c.fr")
    assert "12,50\u00a0$" in translation.target_words
    assert "a.b@c.fr" in translation.target_words


def test_a_line_with_more_literals_than_placeholders_is_translated_in_parts() -> None:
    line = "you love " + ", ".join(f"{number} and" for number in range(100, 125)) + " him"
    (translation,) = translate(line, align=True)
    check_translation(line, translation)
    assert len(translation.alignment.source) == len(translation.source_words)
    assert translation.source == line


def test_no_literal_is_split_at_a_sentence_boundary() -> None:
    line = "I love you and " * 20 + "`You. Me. Him.` and you."
    assert "`You. Me. Him.`" in translate(line)[0].target_words


def test_a_line_in_capitals_keeps_its_literals() -> None:
    line = "YOU LOVE ME, {NAME}: 1,250 CHILDREN AT 10:30"
    (translation,) = translate(line)
    check_translation(line, translation)
    assert translation.text == translation.text.upper()


def test_a_vocabulary_without_placeholders_reads_digits_as_text() -> None:
    plain = vocabulary(literals=False)
    words = [word.text for word in plain.encode("1,250 a@b.fr").words]
    assert words == ["1,250", "a", "@", "b", ".", "fr"]
    assert plain.encode("5").literals == ()
    assert not plain.encode("5").has_only_literals


def test_pairs_are_aligned_with_the_literals_of_both_sides_as_words() -> None:
    aligner = PairAligner(TOKENIZER, TOKENIZER, decoder=RANDOM_DECODER)
    (translation,) = aligner.align(
        [InputLine(1, "you paid $12.50 and 7", "tu paies 12,50 $ et sept")]
    )
    assert translation.source_words == ("you", "paid", "$12.50", "and", "7")
    assert translation.target_words == ("tu", "paies", "12,50 $", "et", "sept")
    assert translation.alignment.weights.shape == (5, 5)


# A trained model


@pytest.fixture(scope="module")
def trained_model(tmp_path_factory):
    """A model that has learned PAIRS, with numbers, addresses and names for some of the words."""
    folder = tmp_path_factory.mktemp("literals")
    rng = random.Random(1)
    rows = []
    for source, target in PAIRS.items():
        address = f"n{rng.randint(10, 99)}@x.fr"
        rows.append((source, target))
        if "two books" in source:
            for number in rng.sample(range(1000, 9_999), 3):
                english, french = f"{number:,}", f"{number:,}".replace(",", "\u00a0")
                rows.append((source.replace("two", english), target.replace("deux", french)))
        if "a dog" in source:
            rows.append((source.replace("a dog", address), target.replace("un chien", address)))
    text = "".join(f"{source}\t{target}\n" for source, target in rows)
    (folder / "pairs.tsv").write_text(text, encoding="utf-8")
    out = folder / "model"
    result = attn(
        *("train", "--pairs", folder / "pairs.tsv", "--valid-pairs", folder / "pairs.tsv"),
        *("--out", out, *TINY, "--max-steps", "200", "--set", "train.validate_every=100"),
        *("--set", "source=en", "--set", "target=fr", "--set", "tokenizer.literals=true"),
        *("--set", "train.export=fp32"),
    )
    assert result.status == 0, result.err
    return out


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_trained_model_puts_literals_in_the_right_places(trained_model, engine: str) -> None:
    lines = ["I see 4,321 books.", "you love q@z.org.", "we sell 12.5 books.", "I see two books."]
    result = attn(
        *("translate", "-m", trained_model, "--engine", engine, "--format", "jsonl"),
        stdin="".join(f"{line}\n" for line in lines),
    )
    assert result.status == 0, result.err
    assert [record["target"] for record in result.records()] == [
        "je vois 4\u00a0321 livres.",
        "tu aime q@z.org.",
        "nous vends 12,5 livres.",
        "je vois deux livres.",
    ]
    assert result.records()[0]["source_words"] == ["I", "see", "4,321", "books", "."]
    assert result.records()[0]["target_words"] == ["je", "vois", "4\u00a0321", "livres", "."]


# Confidence


def calibration() -> Calibration:
    ones = (1.0,) * len(FEATURES)
    return Calibration(mean=ones, scale=ones, weights=ones, bias=0.0)


def test_no_literal_is_unsure_at_any_probability():
    (translation,) = translate("In 2010 it cost 12, alas.", unsure_below=1.0)
    unsure = {translation.target_words[word] for word in translation.unsure}
    assert unsure
    assert not unsure & {"2010", "12"}
    assert all(any(map(str.isalnum, word)) for word in unsure)


def test_words_below_the_threshold_are_unsure_and_no_word_without_a_threshold():
    (translation,) = translate(LINES[3], unsure_below=0.5)
    for word, logp in enumerate(translation.word_logp):
        is_word = any(map(str.isalnum, translation.target_words[word]))
        assert (word in translation.unsure) == (is_word and logp < np.log(0.5))
    assert translate(LINES[3])[0].unsure == ()


def test_unsure_words_of_a_line_in_parts_are_those_of_its_sentences():
    first, second = "Je t'aime et tu m'aimes. " * 6, "Les enfants jouent dans la cour. " * 6
    (whole,) = translate(first + second, unsure_below=0.5)
    parts = translate(*(["Je t'aime et tu m'aimes."] * 6), unsure_below=0.5)
    parts += translate(*(["Les enfants jouent dans la cour."] * 6), unsure_below=0.5)
    words = [part.target_words[word] for part in parts for word in part.unsure]
    assert [whole.target_words[word] for word in whole.unsure] == words


def test_literals_are_not_counted_as_evidence():
    (_, with_literals), (_, without_literals) = translator().translate_with_evidence(
        [InputLine(1, "It cost 12 and 5"), InputLine(2, "It cost x and y")]
    )
    assert with_literals is not None
    assert without_literals is not None
    assert with_literals.source_pieces < without_literals.source_pieces
    (translation,) = translate("It cost 12 and 5")
    literals = sum(word in ("12", "5") for word in translation.target_words)
    assert literals == 2
    assert len(with_literals.word_logp) == len(translation.target_words) - literals


def test_a_line_with_nothing_to_translate_has_confidence_1():
    translations = translate("1,250", "", "I love you", calibration=calibration())
    assert [each.confidence for each in translations[:2]] == [1.0, 1.0]
    assert 0 < translations[2].confidence < 1
    assert translate("I love you")[0].confidence is None
