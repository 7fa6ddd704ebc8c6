"""Each literal of a line stands in its translation once, and no other digit does, whoever decodes.

The networks here have learned nothing, or next to nothing: what holds for them holds for all.
"""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program import PAIRS, TINY, attn

from attn_cli import config
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
    how = config.TokenizerConfig(vocab_size=500, literals=literals)
    return Tokenizer.train(LINES, how, literals=LiteralRules("en", "fr") if literals else None)


TOKENIZER = vocabulary()


class Noise:
    """A network of random numbers: the next piece depends on the last one and on the line."""

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


NOISE = Noise(TOKENIZER.vocab_size)


def translator(*, beam: int = 2, **how) -> Translator:
    return Translator(
        BeamSearchGenerator(NOISE),
        TOKENIZER,
        TOKENIZER,
        SearchConfig(beam=beam),
        split_over=50,
        capitals=True,
        **how,
    )


def translate(*lines: str, **how) -> list[Translation]:
    return translator(**how).translate([InputLine(n, line) for n, line in enumerate(lines, 1)])


def check(line: str, found: Translation) -> None:
    """What the module's first line says of one translation."""
    digits, wanted = (Counter(filter(str.isdecimal, text)) for text in (found.text, line))
    assert digits == wanted, (line, found.text)
    literals = TOKENIZER.find_literals(line)
    if TOKENIZER.encode(line).has_only_literals:
        assert found.text == line.strip()
        return
    said = Counter(
        TOKENIZER.literals.rewrite(line[each.start : each.end], is_figure=each.is_figure)
        for each in literals
    )
    words = Counter(found.target_words)
    assert all(words[text] >= count for text, count in said.items()), (line, found.text)


# Generated sentences


def _figure(draw: random.Random) -> str:
    return draw.choice(
        [
            str(draw.randint(0, 99_999)),
            f"{draw.randint(1000, 9_999_999):,}",
            f"{draw.random() * 100:.2f}",
            f"${draw.randint(1, 999)}.{draw.randint(10, 99)}",
            f"{draw.randint(1, 100)}%",
            f"{draw.randint(0, 23)}:{draw.randint(10, 59)}",
            f"{draw.randint(1900, 2030)}-{draw.randint(10, 12)}-{draw.randint(10, 28)}",
            *("-7", "19th", "25kg", "1/2", "06 12 34 56 78", "$5 million"),
        ]
    )


def _other(draw: random.Random) -> str:
    return draw.choice(
        [
            *("https://a.b/c?x=1", "a.b@c.fr", "@name", "#tag", "`x + 1`", "{name}", "%s", "❤️"),
            *("😀😀", "/etc/hosts", "notes.txt", "COVID-19", "привет", "我爱你", "Xqwzghk", "<b>"),
            *("my_name", "m²", "www.x.org", "%(count)d", "C:\\Users\\me", "ⅷ", "١٢"),
        ]
    )


def sentence(draw: random.Random) -> str:
    """Words, figures and other literals, a few or many, with marks between some of them."""
    words = " ".join(LINES[:2]).replace("2010", "").replace("12", "").split()
    words = [word for word in words if word.isalpha()]
    text = ""
    for _ in range(draw.choice([1, 3, 6, 10, 16, 40])):
        kind = draw.random()
        text += _figure(draw) if kind < 0.2 else _other(draw) if kind < 0.35 else draw.choice(words)
        text += draw.choice([" ", " ", " ", " ", ", ", ". ", "; ", " (", ") ", ": "])
    return text.strip()


@pytest.mark.parametrize("beam", [1, 4])
def test_literals_of_generated_sentences_survive(beam: int) -> None:
    draw = random.Random(beam)
    lines = [sentence(draw) for _ in range(300)]
    for line, found in zip(lines, translate(*lines, beam=beam), strict=True):
        check(line, found)


FRAGMENTS = st.sampled_from(
    [
        *"aéI1٣½²'’-–.,:;!?/$€%()[]{}<>@#_&`~\\+=\"«»€我я\u0301\u200d\u200b\ufdd0\ufffd\ud800",
        *("12", "1,250", "1 250", "3:30", "10h30", "th", "❤️", "🇫🇷", "<num0>", "<lit5>", "<0x31>"),
        *(" ", "  ", "\u00a0", " love ", " you. ", " QUICK ", " Xqwzghk ", "http://a.b", "{x}"),
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(FRAGMENTS, max_size=30).map("".join)))
@settings(derandomize=True, deadline=None)
def test_no_text_whatever_gets_a_digit_or_loses_one(line: str) -> None:
    line = " ".join(line.splitlines())
    (found,) = translate(line, beam=2, align=True)
    digits, wanted = (Counter(filter(str.isdecimal, text)) for text in (found.text, line))
    assert digits == wanted
    if not line.strip():
        assert found.text == ""
        return
    assert found.alignment.weights.shape == (len(found.target_words), len(found.source_words))


# Lines with nothing to translate


@pytest.mark.parametrize(
    "line",
    ["123", ".", "1,250", "12.5%, 10:30!", "❤️", "http://a.b", "привет, мир", "我爱你。", "- 5 -"],
)  # fmt: skip
@pytest.mark.parametrize("aligner", [None, NullAligner()])
def test_a_line_with_nothing_to_translate_comes_back_as_it_is(line: str, aligner) -> None:
    (found,) = translate(line, align=True, aligner=aligner)
    assert found.text == line
    assert found.texts == (line,)
    assert found.source_words == found.target_words
    np.testing.assert_array_equal(found.alignment.link_scores, np.eye(len(found.source_words)))
    assert found.hypotheses[0].mean_logp == 0


def test_many_numbers_alone_come_back_as_they_are() -> None:
    line = ", ".join(str(number) for number in range(1000, 1090))
    assert translate(line)[0].text == line


# Words


def test_a_literal_is_one_word_of_both_sides() -> None:
    (found,) = translate("you paid $12.50 to a.b@c.fr", align=True)
    assert found.source_words == ("you", "paid", "$12.50", "to", "a.b@c.fr")
    assert "12,50\u00a0$" in found.target_words
    assert "a.b@c.fr" in found.target_words


def test_with_more_literals_than_placeholders_each_part_of_the_line_has_its_own() -> None:
    line = "you love " + ", ".join(f"{number} and" for number in range(100, 125)) + " him"
    (found,) = translate(line, align=True)
    check(line, found)
    assert len(found.alignment.source) == len(found.source_words)
    assert found.source == line


def test_no_literal_is_cut_where_sentences_are() -> None:
    line = "I love you and " * 20 + "`You. Me. Him.` and you."
    assert "`You. Me. Him.`" in translate(line)[0].target_words


def test_a_line_in_capitals_keeps_its_literals() -> None:
    line = "YOU LOVE ME, {NAME}: 1,250 CHILDREN AT 10:30"
    (found,) = translate(line)
    check(line, found)
    assert found.text == found.text.upper()


def test_a_vocabulary_without_placeholders_reads_digits_as_text() -> None:
    plain = vocabulary(literals=False)
    words = [word.text for word in plain.encode("1,250 a@b.fr").words]
    assert words == ["1,250", "a", "@", "b", ".", "fr"]
    assert plain.encode("5").literals == ()
    assert not plain.encode("5").has_only_literals


def test_pairs_are_aligned_with_the_literals_of_both_sides_as_words() -> None:
    aligner = PairAligner(TOKENIZER, TOKENIZER, decoder=NOISE)
    (found,) = aligner.align([InputLine(1, "you paid $12.50 and 7", "tu paies 12,50 $ et sept")])
    assert found.source_words == ("you", "paid", "$12.50", "and", "7")
    assert found.target_words == ("tu", "paies", "12,50 $", "et", "sept")
    assert found.alignment.weights.shape == (5, 5)


# A model from its training to its answers


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has learned PAIRS, with numbers, addresses and names for some of the words."""
    folder = tmp_path_factory.mktemp("literals")
    draw = random.Random(1)
    rows = []
    for source, target in PAIRS.items():
        name = f"n{draw.randint(10, 99)}@x.fr"
        rows.append((source, target))
        if "two books" in source:
            for number in draw.sample(range(1000, 9_999), 3):
                ours, theirs = f"{number:,}", f"{number:,}".replace(",", "\u00a0")
                rows.append((source.replace("two", ours), target.replace("deux", theirs)))
        if "a dog" in source:
            rows.append((source.replace("a dog", name), target.replace("un chien", name)))
    text = "".join(f"{source}\t{target}\n" for source, target in rows)
    (folder / "pairs.tsv").write_text(text, encoding="utf-8")
    out = folder / "model"
    ended = attn(
        *("train", "--pairs", folder / "pairs.tsv", "--valid-pairs", folder / "pairs.tsv"),
        *("--out", out, *TINY, "--max-steps", "200", "--set", "train.validate_every=100"),
        *("--set", "source=en", "--set", "target=fr", "--set", "tokenizer.literals=true"),
        *("--set", "train.export=fp32"),
    )
    assert ended.status == 0, ended.err
    return out


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_model_learns_where_placeholders_stand(trained, engine: str) -> None:
    lines = ["I see 4,321 books.", "you love q@z.org.", "we sell 12.5 books.", "I see two books."]
    ended = attn(
        *("translate", "-m", trained, "--engine", engine, "--format", "jsonl"),
        stdin="".join(f"{line}\n" for line in lines),
    )
    assert ended.status == 0, ended.err
    assert [record["target"] for record in ended.records()] == [
        "je vois 4\u00a0321 livres.",
        "tu aime q@z.org.",
        "nous vends 12,5 livres.",
        "je vois deux livres.",
    ]
    assert ended.records()[0]["source_words"] == ["I", "see", "4,321", "books", "."]
    assert ended.records()[0]["target_words"] == ["je", "vois", "4\u00a0321", "livres", "."]


# Confidence


def calibration() -> Calibration:
    ones = (1.0,) * len(FEATURES)
    return Calibration(mean=ones, scale=ones, weights=ones, bias=0.0)


def test_no_literal_is_unsure_however_improbable_it_was():
    (found,) = translate("In 2010 it cost 12, alas.", unsure_below=1.0)
    unsure = {found.target_words[word] for word in found.unsure}
    assert unsure
    assert not unsure & {"2010", "12"}
    assert all(any(map(str.isalnum, word)) for word in unsure)


def test_unsure_words_are_those_below_the_probability_and_without_one_there_are_none():
    (found,) = translate(LINES[3], unsure_below=0.5)
    for word, logp in enumerate(found.word_logp):
        is_word = any(map(str.isalnum, found.target_words[word]))
        assert (word in found.unsure) == (is_word and logp < np.log(0.5))
    assert translate(LINES[3])[0].unsure == ()


def test_unsure_words_of_a_line_in_parts_are_those_of_its_sentences():
    one, other = "Je t'aime et tu m'aimes. " * 6, "Les enfants jouent dans la cour. " * 6
    (whole,) = translate(one + other, unsure_below=0.5)
    parts = translate(*(["Je t'aime et tu m'aimes."] * 6), unsure_below=0.5)
    parts += translate(*(["Les enfants jouent dans la cour."] * 6), unsure_below=0.5)
    words = [part.target_words[word] for part in parts for word in part.unsure]
    assert [whole.target_words[word] for word in whole.unsure] == words


def test_literals_are_no_evidence():
    (_, found), (_, plain) = translator().translate_with_evidence(
        [InputLine(1, "It cost 12 and 5"), InputLine(2, "It cost x and y")]
    )
    assert found is not None
    assert plain is not None
    assert found.source_pieces < plain.source_pieces
    (translation,) = translate("It cost 12 and 5")
    literals = sum(word in ("12", "5") for word in translation.target_words)
    assert literals == 2
    assert len(found.word_logp) == len(translation.target_words) - literals


def test_what_has_nothing_to_translate_is_certain():
    found = translate("1,250", "", "I love you", calibration=calibration())
    assert [each.confidence for each in found[:2]] == [1.0, 1.0]
    assert 0 < found[2].confidence < 1
    assert translate("I love you")[0].confidence is None
