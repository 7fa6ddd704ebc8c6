"""Tokenizer: encode and decode assign each piece to its word, for any text."""

import math
import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.data import literals, words
from attn_cli.data.literals import N_PLACEHOLDERS, LiteralRules
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.data.unknown_words import UnknownWordDetector
from attn_cli.errors import DataError, ModelError, UsageError
from attn_cli.types import BOS, EOS, PAD, UNK, Crossing, Word

PROPERTY = settings(derandomize=True, deadline=None)

LINES = [
    "I love you, and you love me.",
    "Do you love the old dog? I don't; it's not mine.",
    "The children are playing in the playground, aren't they?",
    "Je t'aime et tu m'aimes.",
    "Aimes-tu le vieux chien ? Je ne l'aime pas ; ce n'est pas le mien.",
    "Les enfants jouent dans la cour, n'est-ce pas ?",
    "Donne-le-moi, s'il te plaît !",
    "Ich liebe dich, und die Kinder spielen draußen.",
] * 3


def train(lines: list[str] = LINES, **options: object) -> Tokenizer:
    return Tokenizer.train(lines, config.TokenizerConfig(**{"vocab_size": 420, **options}))


UNIGRAM, BPE = train(), train(kind="bpe")
UNNORMALIZED = train(normalization="identity")
SENTENCEPIECE = sentencepiece.SentencePieceProcessor(model_proto=UNIGRAM.to_bytes())
EACH_KIND = pytest.mark.parametrize("tokenizer", [UNIGRAM, BPE], ids=["unigram", "bpe"])

#: Odd spaces, decomposed letters, characters that NFKC changes, scripts outside the training text.
ODD = st.sampled_from(
    [
        *"aeélqu'’-.,:!?1 ",
        *"\u00a0\u2028\u202f\u3000\t\x1f\x85",
        *"½ﬁ①´ﷺ™Å",
        *"\u0301\u0308\u200d\u200c\u200b\u00ad\ufeff\ufe0f\x00\x07\x7f\ufffd\ue000\ud800\udfff▁▅⁇",
        *"日カ한กह👍🇫\U0001f3fd",
        *("</s>", "<unk>", "<0x41>", "l'", "n't", "-t-il", " Je", "aime"),
    ]
)
ANY_TEXT = st.one_of(st.text(max_size=30), st.lists(ODD, max_size=25).map("".join))


def pieces(tokenizer: Tokenizer, form: str) -> list[str]:
    return [tokenizer.piece(id) for id in tokenizer.segment(form)]


# ---- training


@EACH_KIND
def test_a_vocabulary_starts_with_the_specials_and_the_bytes(tokenizer: Tokenizer) -> None:
    starts = [tokenizer.piece(id) for id in (PAD, BOS, EOS, UNK, 4, 259)]
    assert starts == ["<pad>", "<s>", "</s>", "<unk>", "<0x00>", "<0xFF>"]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_the_order_of_the_lines_does_not_change_the_model(kind: str) -> None:
    assert train(kind=kind).to_bytes() == train(LINES[::-1], kind=kind).to_bytes()


def test_training_on_counts_gives_the_model_of_the_lines() -> None:
    counts = Counter(form for line in LINES for form in words.surface_forms(words.split(line)))
    counted = Tokenizer.train_on_counts(counts, config.TokenizerConfig(vocab_size=420))
    assert counted.to_bytes() == UNIGRAM.to_bytes()


@EACH_KIND
def test_a_frequent_form_is_one_piece(tokenizer: Tokenizer) -> None:
    assert [pieces(tokenizer, form) for form in (" love", " the", " Je")] == [
        ["▁love"],
        ["▁the"],
        ["▁Je"],
    ]


def test_a_piece_may_hold_an_apostrophe_or_a_hyphen() -> None:
    tokenizer = train(["Je l'ai dit.", "I don't.", "A-t-il dit ?"] * 20)
    assert [pieces(tokenizer, form) for form in (" l'", "n't", "-t-il")] == [
        ["▁l'"],
        ["n't"],
        ["-t-il"],
    ]


@EACH_KIND
def test_no_piece_crosses_a_word_boundary(tokenizer: Tokenizer) -> None:
    forms = {f.replace(" ", "▁") for line in LINES for f in words.surface_forms(words.split(line))}
    learned_pieces = [tokenizer.piece(id) for id in range(260, tokenizer.vocab_size)]
    assert [piece for piece in learned_pieces if not any(piece in form for form in forms)] == []


@EACH_KIND
def test_a_vocabulary_is_not_larger_than_the_text_allows(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size <= 420
    assert train(["A b c.", "Je t'aime.", "a"], vocab_size=8000).vocab_size < 400


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("lines", [[], ["", " \u3000 "]])
def test_a_text_without_words_is_a_data_error(lines: list[str], kind: str) -> None:
    with pytest.raises(DataError, match="without words"):
        train(lines, kind=kind)


def test_the_error_of_a_too_small_vocabulary_names_a_sufficient_size() -> None:
    alphabet = [" ".join(map(chr, range(0x400, 0x460)))]
    with pytest.raises(UsageError, match=r"vocab_size = 300 has no room.* take (\d+)") as caught:
        train(alphabet, vocab_size=300)
    needed = int(caught.value.problem.split()[-1])
    assert train(alphabet, vocab_size=needed).vocab_size == needed


def test_a_coverage_that_sentencepiece_refuses_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="character_coverage"):
        train(character_coverage=0.9)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_tokenizer_can_be_trained_on_hostile_lines(kind: str) -> None:
    hostile = ["a" * 50_000, "▁ ▅ \x00 \ud800", "x\ty", "!" * 9_000, "b \u2028 c"]
    tokenizer = train(hostile, kind=kind)
    assert tokenizer.decode(tokenizer.encode("a x b").ids).text == "a x b"


def test_training_and_sampling_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    train(kind="bpe").candidates(" playing", 4)
    assert capfd.readouterr() == ("", "")


# ---- on disk


def test_a_saved_tokenizer_is_loaded_unchanged(tmp_path: Path) -> None:
    UNIGRAM.save(tmp_path / "tokenizer.model")
    loaded = Tokenizer.load(tmp_path / "tokenizer.model")
    assert loaded.to_bytes() == UNIGRAM.to_bytes()
    assert loaded.segment(" playing") == UNIGRAM.segment(" playing")


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the tokenizer .*absent\.model") as caught:
        Tokenizer.load(tmp_path / "absent.model")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 99])
def test_a_file_of_another_format_is_a_model_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.model").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.model is not a SentencePiece model"):
        Tokenizer.load(tmp_path / "broken.model")


def test_a_model_with_other_special_ids_is_refused(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_prefix=str(tmp_path / "foreign"),
        vocab_size=60,
        minloglevel=3,
    )
    with pytest.raises(ModelError, match="of another program"):
        Tokenizer.load(tmp_path / "foreign.model")


# ---- segments


def test_only_a_form_after_a_space_starts_with_the_space_mark() -> None:
    assert pieces(UNIGRAM, " aime")[0].startswith("▁")
    assert not pieces(UNIGRAM, "aime")[0].startswith("▁")


@EACH_KIND
@pytest.mark.parametrize(
    "form", [" \u200b", "\u200b", "\u00ad", "\x07", "\x00", "\ufffd", "\ue000", "👍", "▁", "ก"]
)
def test_a_form_without_pieces_is_encoded_as_utf8_bytes(tokenizer: Tokenizer, form: str) -> None:
    byte_pieces = [f"<0x{byte:02X}>" for byte in form.strip().encode()]
    assert pieces(tokenizer, form) == ["▁"] * form.startswith(" ") + byte_pieces


def test_a_lone_surrogate_is_read_as_a_replacement_character() -> None:
    assert UNIGRAM.segment("\ud800") == UNIGRAM.segment("\ufffd")


@EACH_KIND
def test_a_very_long_word_is_encoded(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode("x " + "aé" * 25_000 + " y")
    assert len(encoded.words) == 3
    assert tokenizer.decode(encoded.ids).text == encoded.raw


# ---- candidates for subword sampling


@EACH_KIND
def test_candidates_all_spell_the_form_and_include_its_segmentation(
    tokenizer: Tokenizer,
) -> None:
    candidates = [ids for ids, _ in tokenizer.candidates(" playing", 8)]
    assert tokenizer.segment(" playing") in candidates
    assert 1 < len(set(candidates)) == len(candidates) <= 8
    assert {"".join(map(tokenizer.piece, ids)) for ids in candidates} == {"▁playing"}


@EACH_KIND
def test_candidates_are_a_distribution_in_descending_order(tokenizer: Tokenizer) -> None:
    logp = [each for _, each in tokenizer.candidates(" playground", 6)]
    assert math.fsum(map(math.exp, logp)) == pytest.approx(1)
    assert logp == sorted(logp, reverse=True)


def test_unigram_candidates_differ_by_the_scores_of_their_pieces() -> None:
    (first, first_logp), (second, second_logp) = UNIGRAM.candidates(" playground", 2)
    score = SENTENCEPIECE.get_score
    score_difference = sum(score(list(first))) - sum(score(list(second)))
    assert first_logp - second_logp == pytest.approx(score_difference)


@EACH_KIND
def test_candidates_are_the_same_each_time(tokenizer: Tokenizer) -> None:
    first = tokenizer.candidates(" playground", 4)
    tokenizer.candidates(" children", 4)
    assert tokenizer.candidates(" playground", 4) == first


@EACH_KIND
@pytest.mark.parametrize("form", [" ก", "\u200b", " " + "a" * 5_000])
def test_a_form_with_one_segmentation_has_one_candidate(tokenizer: Tokenizer, form: str) -> None:
    assert tokenizer.candidates(form, 8) == [(tokenizer.segment(form), 0.0)]


# ---- encode


def test_encode_gives_each_piece_its_word() -> None:
    encoded = UNIGRAM.encode("I don't.")
    assert [word.text for word in encoded.words] == ["I", "do", "n't", "."]
    for index, form in enumerate([" I", " do", "n't", "."]):
        piece_ids = encoded.ids[encoded.word_ids == index]
        assert tuple(piece_ids) == UNIGRAM.segment(form)
    assert encoded.ids.dtype == encoded.word_ids.dtype == np.int32


def test_an_empty_line_is_encoded_as_eos_only() -> None:
    encoded = UNIGRAM.encode(" \u3000 ")
    assert (encoded.ids.tolist(), encoded.word_ids.tolist(), encoded.words) == ([EOS], [-1], ())


@given(ANY_TEXT, st.sampled_from([UNIGRAM, BPE, UNNORMALIZED]))
@PROPERTY
def test_each_word_has_adjacent_pieces_and_no_piece_is_unknown(
    raw: str, tokenizer: Tokenizer
) -> None:
    encoded = tokenizer.encode(raw)
    assert not set(encoded.ids[:-1].tolist()) & {PAD, BOS, EOS, UNK}
    assert (encoded.ids[-1], encoded.word_ids[-1]) == (EOS, -1)
    steps = np.diff(encoded.word_ids[:-1], prepend=-1)
    assert set(steps.tolist()) <= {0, 1}
    assert len(encoded.words) == max(encoded.word_ids[:-1], default=-1) + 1


# ---- decode


@given(ANY_TEXT)
@PROPERTY
def test_without_normalization_decode_undoes_encode_up_to_white_space(raw: str) -> None:
    text = " ".join("".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in raw).split())
    assert UNNORMALIZED.decode(UNNORMALIZED.encode(raw).ids).text == text
    encoded, decoded = UNNORMALIZED.encode(text), UNNORMALIZED.decode(UNNORMALIZED.encode(text).ids)
    assert decoded.words == encoded.words
    assert decoded.word_ids.tolist() == encoded.word_ids.tolist()


@given(
    st.text("aeijloqstuéèçàßœdn'’-.,!?012 日한ก👍", max_size=40), st.sampled_from([UNIGRAM, BPE])
)
@PROPERTY
def test_decode_undoes_encode_of_normalized_text(raw: str, tokenizer: Tokenizer) -> None:
    text = " ".join(raw.split())
    encoded = tokenizer.encode(text)
    decoded = tokenizer.decode(encoded.ids)
    assert (decoded.text, decoded.words) == (text, encoded.words)
    assert decoded.word_ids.tolist() == encoded.word_ids.tolist()


@pytest.mark.parametrize(
    ("raw", "text"),
    [("½ cup", "1⁄2 cup"), ("ﬁn①", "fin1"), ("e\u0301te\u0301", "été"), ("a\u00a0b\t c", "a b c")],
)
def test_decode_gives_the_normalized_text(raw: str, text: str) -> None:
    assert UNIGRAM.decode(UNIGRAM.encode(raw).ids).text == text


def ids_of(*names: str) -> list[int]:
    id_by_piece = {UNIGRAM.piece(id): id for id in range(UNIGRAM.vocab_size)}
    return [id_by_piece[name] for name in names]


@pytest.mark.parametrize(
    ("piece_names", "text", "word_ids"),
    [
        ("", "", []),
        ("</s>", "", [-1]),
        ("▁ ▁ </s>", "", [-1, -1, -1]),
        ("▁love ▁ </s>", "love", [0, 0, -1]),
        ("▁ ▁love", "love", [0, 0]),
        ("▁love ▁ y o", "love yo", [0, 1, 1, 1]),
        ("o ▁love", "o love", [0, 1]),
        ("<s> ▁love <pad> y </s> ▁love", "lovey love", [-1, 0, -1, 0, -1, 1]),
        ("▁love <unk> .", "love.", [0, -1, 1]),
        ("▁love <0xC3> <0xA9>", "loveé", [0, 0, 0]),
        ("▁love ▁ <0xF0> <0x9F> <0x91> <0x8D> .", "love 👍.", [0, 1, 1, 1, 1, 1, 2]),
        ("▁love <0xF0> <0x9F> .", "love\ufffd\ufffd.", [0, 1, 1, 2]),
        ("<0xC3> </s> <0xA9>", "\ufffd\ufffd", [0, -1, 0]),
        ("▁love <0x0A> .", "love .", [0, 1, 1]),
    ],
)
def test_decode_gives_each_id_the_word_it_contributes_to(
    piece_names: str, text: str, word_ids: list[int]
) -> None:
    decoded = UNIGRAM.decode(ids_of(*piece_names.split()))
    assert (decoded.text, decoded.word_ids.tolist()) == (text, word_ids)


ANY_IDS = st.lists(
    st.one_of(
        st.integers(0, UNIGRAM.vocab_size - 1),
        st.integers(4, 259),
        st.sampled_from([b + 4 for b in "é日👍".encode()] + [PAD, BOS, EOS, UNK]),
    ),
    max_size=30,
)


@given(ANY_IDS)
@PROPERTY
def test_any_ids_decode_to_word_ids_in_ascending_order(ids: list[int]) -> None:
    decoded = UNIGRAM.decode(np.array(ids, np.int32))
    word_ids = decoded.word_ids[np.array(ids, int) > UNK]
    assert len(decoded.word_ids) == len(ids)
    assert all(decoded.word_ids[np.array(ids, int) <= UNK] == -1)
    assert all(np.diff(word_ids) >= 0)
    assert all(word_ids < len(decoded.words))
    assert all(word_ids >= 0) or not decoded.words
    assert decoded.words == words.split(decoded.text)
    crossing_words = {each.word for each in decoded.crossing}
    assert {*word_ids.tolist(), *crossing_words} == set(range(len(decoded.words))), (
        "a word without a piece"
    )


def test_a_decoded_piece_of_two_words_belongs_to_both_in_proportion_to_characters() -> None:
    """▁don and 't are the words do and n't, of 2 and 1 characters of the first piece."""
    forms = {" don": 9, "'t": 9}
    tokenizer = Tokenizer.train_on_counts(forms, config.TokenizerConfig(vocab_size=300))
    ids = [id for form in forms for id in tokenizer.segment(form)]
    assert [tokenizer.piece(id) for id in ids] == ["▁don", "'t"]
    decoded = tokenizer.decode(ids)
    assert [word.text for word in decoded.words] == ["do", "n't"]
    assert decoded.word_ids.tolist() == [0, 1]
    assert decoded.crossing == (Crossing(0, 0, 2 / 3), Crossing(0, 1, 1 / 3))


@given(ANY_IDS)
@PROPERTY
def test_any_ids_decode_to_the_text_of_sentencepiece(ids: list[int]) -> None:
    text_ids = [id for id in ids if id > UNK]
    expected = "".join(" " if c.isspace() else c for c in SENTENCEPIECE.decode(text_ids))
    assert UNIGRAM.decode(text_ids).text == expected.strip()


def test_tokens_of_another_program_stay_one_word_each() -> None:
    tokens = ["do", "n't", "look", "aujourd'hui", "."]
    line = UNIGRAM.encode_tokens(tokens)
    assert [word.text for word in line.words] == tokens
    assert sorted(set(line.word_ids.tolist())) == [-1, 0, 1, 2, 3, 4]
    assert line.raw == "do n't look aujourd'hui ."
    assert UNIGRAM.encode_tokens([]).words == ()


# ---- plain quotes

#: Typographic apostrophes and quotes, at which words are split as at straight ones.
STRAIGHT = str.maketrans("’ʼ“”„", '\'\'"""')
QUOTED = st.text("aeijlndt ’ʼ“”„.?!", max_size=30)
CURLY_LINES = [line.replace("'", "’") + " “Oui”" for line in LINES]
STRAIGHT_LINES = [line.translate(STRAIGHT) for line in CURLY_LINES]
QUOTES = train(CURLY_LINES, normalize_quotes=True)


def test_training_on_typographic_quotes_gives_the_model_of_straight_ones() -> None:
    straight = train(STRAIGHT_LINES, normalize_quotes=True)
    assert QUOTES.to_bytes() == straight.to_bytes()
    assert train(STRAIGHT_LINES).to_bytes() == straight.to_bytes()
    assert train(CURLY_LINES).to_bytes() != straight.to_bytes()


@given(ANY_TEXT.filter(bool))
@PROPERTY
def test_a_form_has_the_pieces_of_the_same_form_with_straight_quotes(form: str) -> None:
    plain = "".join("'" if c in "‘’‚‛ʼ′´`" else '"' if c in "“”„‟″" else c for c in form)
    assert QUOTES.segment(form) == QUOTES.segment(plain)
    assert QUOTES.candidates(form, 4) == QUOTES.candidates(plain, 4)


@given(QUOTED)
@PROPERTY
def test_typographic_quotes_have_the_ids_of_straight_ones_and_their_own_words(
    raw: str,
) -> None:
    encoded, straight = QUOTES.encode(raw), QUOTES.encode(raw.translate(STRAIGHT))
    assert all(word.text == raw[word.start : word.end] for word in encoded.words)
    spans = [(word.start, word.end) for word in straight.words]
    if [
        (word.start, word.end) for word in encoded.words
    ] == spans:  # "’ʼ" is two words, "''" is one
        assert encoded.ids.tolist() == straight.ids.tolist()
        assert encoded.word_ids.tolist() == straight.word_ids.tolist()
    assert QUOTES.decode(encoded.ids).text == " ".join(raw.translate(STRAIGHT).split())


def test_normalize_quotes_gives_typographic_apostrophes_the_ids_of_straight_ones() -> None:
    for typographic, plain in [
        ("Je t’aime", "Je t'aime"),
        ("I donʼt", "I don't"),
        ("“Oui”", '"Oui"'),
    ]:
        assert QUOTES.encode(typographic).ids.tolist() == QUOTES.encode(plain).ids.tolist()
        assert UNIGRAM.encode(typographic).ids.tolist() != UNIGRAM.encode(plain).ids.tolist()


def test_guillemets_are_straight_quotes_only_if_the_vocabulary_lacks_them() -> None:
    for raw, straight in (("« Oui »", '" Oui"'), ("«Oui»", '"Oui"')):
        line = QUOTES.encode(raw)
        assert line.ids.tolist() == QUOTES.encode(straight).ids.tolist()
        assert [word.text for word in line.words] == ["«", "Oui", "»"]
    french = train([*CURLY_LINES, *["Il dit « Oui »."] * 20], normalize_quotes=True)
    assert french.decode(french.encode("« Oui »").ids).text == "« Oui »"


def test_a_loaded_tokenizer_normalizes_quotes_only_if_the_option_is_set(tmp_path: Path) -> None:
    QUOTES.save(tmp_path / "model")
    loaded = Tokenizer.load(tmp_path / "model", normalize_quotes=True)
    assert loaded.encode("t’aime").ids.tolist() == QUOTES.encode("t'aime").ids.tolist()
    other = Tokenizer.load(tmp_path / "model")
    assert other.encode("t’aime").ids.tolist() != QUOTES.encode("t'aime").ids.tolist()


# ---- true case


@given(st.text('THEthe dogIl."(', max_size=30))
@PROPERTY
def test_a_line_in_true_case_has_the_pieces_that_its_original_is_read_with(raw: str) -> None:
    text = DETACHING.truecase(raw)
    assert text.lower() == raw.lower()
    assert (
        DETACHING.encode(text).ids.tolist() == DETACHING.encode(raw, case="truecase").ids.tolist()
    )


def test_the_first_words_of_sentences_are_in_true_case() -> None:
    tokenizer = train(["the dog eats", "Peter eats"] * 20)
    assert tokenizer.truecase(" The  dog eats. Peter eats.") == " the  dog eats. Peter eats."


# ---- opening marks

LINES_WITH_MARKS = [*LINES, '"The dog (a cat) sees." ' * 3]
DETACHING = train(LINES_WITH_MARKS, detach_opening_marks=True)


@pytest.mark.parametrize("raw", ['"The dog."', "(The dog.)", '("The dog.")', "'The dog.'"])
def test_a_word_behind_an_opening_mark_has_the_pieces_of_one_behind_a_space(raw: str) -> None:
    plain = DETACHING.encode("The dog.").pieces
    line = DETACHING.encode(raw)
    start = line.pieces.index("▁The")
    assert line.pieces[start : start + len(plain) - 1] == plain[:-1]
    assert [word.text for word in line.words] == [word.text for word in words.split(raw)]
    decoded = DETACHING.decode(line.ids)
    assert decoded.text == raw
    assert [word.text for word in decoded.words] == [word.text for word in line.words]
    assert "▁The" not in UNIGRAM.encode(raw).pieces


def test_a_word_behind_a_guillemet_is_read_as_behind_a_straight_quote() -> None:
    tokenizer = train(LINES_WITH_MARKS, detach_opening_marks=True, normalize_quotes=True)
    for raw in ("«The dog.»", "« The dog. »"):
        assert tokenizer.encode(raw).ids.tolist() == tokenizer.encode('"The dog."').ids.tolist()


@given(st.text("aeT \"'([.", max_size=30))
@PROPERTY
def test_decoding_restores_a_text_without_space_behind_opening_marks(raw: str) -> None:
    text = " ".join(raw.split())
    attached = re.sub(r"(?:^|(?<= ))([\"'(\[]+) ", r"\1", text)
    assert DETACHING.decode(DETACHING.encode(raw).ids).text == attached


def test_a_literal_behind_an_opening_mark_is_copied_without_a_space() -> None:
    settings = config.TokenizerConfig(vocab_size=420, literals=True, detach_opening_marks=True)
    tokenizer = Tokenizer.train(LINES_WITH_MARKS, settings, literals=LiteralRules("en", "fr"))
    line = tokenizer.encode('the dog ("300 dogs") sees')
    assert [copied.text for copied in line.literals] == ["300"]
    assert tokenizer.decode(line.ids, line).text == line.raw


# ---- lines in capitals


def test_a_line_in_capitals_has_the_ids_of_lowercase_and_keeps_its_words() -> None:
    line = UNIGRAM.encode("DO YOU LOVE THE OLD DOG?", case="lowercase")
    assert line.ids.tolist() == UNIGRAM.encode("Do you love the old dog?").ids.tolist()
    assert [word.text for word in line.words] == ["DO", "YOU", "LOVE", "THE", "OLD", "DOG", "?"]
    assert line.raw == "DO YOU LOVE THE OLD DOG?"


# ---- literals


WITH_LITERALS = Tokenizer.train(
    [*LINES, *string.ascii_letters, *"()"],
    config.TokenizerConfig(vocab_size=480, literals=True),
    literals=LiteralRules("en", "fr"),
)


def test_placeholders_stand_between_the_special_ids_and_the_bytes() -> None:
    assert len(UNIGRAM.placeholders) == 0
    assert list(WITH_LITERALS.placeholders) == list(range(UNK + 1, UNK + 1 + N_PLACEHOLDERS))
    assert WITH_LITERALS.piece(WITH_LITERALS.placeholders[-1] + 1) == "<0x00>"
    assert WITH_LITERALS.segment(" \x00")[-1] == WITH_LITERALS.placeholders[-1] + 1
    again = Tokenizer.from_bytes(WITH_LITERALS.to_bytes())
    assert again.placeholders == WITH_LITERALS.placeholders


def test_only_a_marked_form_is_encoded_as_its_placeholder() -> None:
    for number in range(N_PLACEHOLDERS):
        id = WITH_LITERALS.placeholders[number]
        space = WITH_LITERALS.segment(" $a")[0]
        assert WITH_LITERALS.segment(literals.add_mark("1,250", number)) == (id,)
        assert WITH_LITERALS.segment(literals.add_mark(" 1,250", number)) == (space, id)
        assert WITH_LITERALS.candidates(literals.add_mark(" 5", number), 8) == [((space, id), 0.0)]
        assert id not in WITH_LITERALS.segment(f" {WITH_LITERALS.piece(id)}")


def test_marked_forms_do_not_change_the_vocabulary() -> None:
    counts = Counter(words.surface_forms(words.split(" ".join(LINES))))
    counts_with_marks = counts + Counter({literals.add_mark(" zzz", 3): 1000})
    settings = config.TokenizerConfig(vocab_size=420, literals=True)
    one, other = (Tokenizer.train_on_counts(each, settings) for each in (counts, counts_with_marks))
    assert one.to_bytes() == other.to_bytes()


def literals_of(raw: str) -> list[str]:
    return [raw[each.start : each.end] for each in WITH_LITERALS.find_literals(raw)]


def test_a_name_that_would_be_split_into_small_pieces_is_a_literal() -> None:
    assert literals_of("I love Xkwzqgh.") == ["Xkwzqgh"]
    assert literals_of("I love Children, PLAYING and xkwzqgh.") == []


@pytest.mark.parametrize(
    ("n_pieces", "inside", "begin"), [(2, False, False), (3, True, False), (5, True, True)]
)
def test_a_capital_inside_of_a_sentence_is_that_of_a_name(
    n_pieces: int, inside: bool, begin: bool
) -> None:
    """Of nine letters, where as many pieces are those of a name, and of a sentence's first word."""
    detector = UnknownWordDetector(
        (), last_byte=0, space_id=1, segment=lambda form: (2,) * n_pieces
    )
    name = (Word("Wikipedia", 0, 9), " Wikipedia")
    for capitals, is_unknown in (((), inside), ((0,), begin)):
        spans = detector.spans([name], (), capitals=capitals)
        assert spans == ([(0, 9)] if is_unknown else [])
    assert detector.spans([name], (), capitals=None) == []


def test_words_in_a_script_that_the_vocabulary_lacks_are_one_literal() -> None:
    assert literals_of("I love привет, мир and 我爱你。") == ["привет, мир", "我爱你。"]


@pytest.mark.parametrize(
    ("raw", "template", "text"),
    [
        ("5 and 7", "{0}{1}", "5 7"),
        ("5 and 7", "love{0}", "love 5"),
        ("5 and 7", " love.{0}", "love. 5"),
        ("(5)", " love ({0})", "love (5)"),
        ("the 5th", " le {0}e", "le 5e"),
        ("a@b.fr 5", "{10}e{0}", "a@b.fr e 5"),
        ("5, 7", "{0},{1}", "5, 7"),
        ("❤️5 a@b.fr", "{10}{0}{11}", "❤️5 a@b.fr"),
    ],
)
def test_decode_joins_a_restored_literal_only_to_text_that_may_adjoin_it(
    raw: str, template: str, text: str
) -> None:
    ids: list[int] = []
    for part in re.findall(r"\{\d+\}|[^{]+", template):
        number = part.strip("{}")
        placeholder = WITH_LITERALS.placeholders[int(number)] if number.isdecimal() else None
        ids += [placeholder] if placeholder else WITH_LITERALS.segment(part)
    assert WITH_LITERALS.decode(ids, WITH_LITERALS.encode(raw)).text == text


# Unknown letters


def test_unknown_share_counts_letters_of_words_split_into_small_pieces_or_bytes():
    text = ["the house is near the river and the children love the old garden"] * 20
    tokenizer = Tokenizer.train(text, config.TokenizerConfig(vocab_size=340))
    assert tokenizer.unknown_share("the children love the house") == 0
    assert tokenizer.unknown_share("Привет мир") == 1
    assert tokenizer.unknown_share("zxqvjk wpfbzx") == 1
    assert tokenizer.unknown_share("house Привет") == 6 / 11
    assert tokenizer.unknown_share("") == tokenizer.unknown_share("12, 5!") == 0


def test_lowercase_reduces_the_unknown_share_of_a_line_in_capitals():
    text = ["the house is near the river and the children love the old garden"] * 20
    tokenizer = Tokenizer.train(text, config.TokenizerConfig(vocab_size=340))
    assert tokenizer.unknown_share("THE CHILDREN LOVE", case="lowercase") < 0.5
    assert tokenizer.unknown_share("THE CHILDREN LOVE") == 1
