"""Tokenizer: every piece has its word, on the way in and on the way out, whatever is said."""

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
from attn_cli.errors import DataError, ModelError, UsageError
from attn_cli.types import BOS, EOS, PAD, UNK, Crossing

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


def train(lines: list[str] = LINES, **changed: object) -> Tokenizer:
    return Tokenizer.train(lines, config.TokenizerConfig(**{"vocab_size": 420, **changed}))


UNIGRAM, BPE = train(), train(kind="bpe")
PLAIN = train(normalization="identity")
SENTENCEPIECE = sentencepiece.SentencePieceProcessor(model_proto=UNIGRAM.to_bytes())
EACH_KIND = pytest.mark.parametrize("tokenizer", [UNIGRAM, BPE], ids=["unigram", "bpe"])

#: Odd spaces, decomposed letters, what NFKC changes or removes, scripts never trained on.
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


def test_counted_forms_teach_what_their_lines_teach() -> None:
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
    many = train(["Je l'ai dit.", "I don't.", "A-t-il dit ?"] * 20)
    assert [pieces(many, form) for form in (" l'", "n't", "-t-il")] == [["▁l'"], ["n't"], ["-t-il"]]


@EACH_KIND
def test_no_piece_crosses_a_word_boundary(tokenizer: Tokenizer) -> None:
    spelt = {f.replace(" ", "▁") for line in LINES for f in words.surface_forms(words.split(line))}
    learned = [tokenizer.piece(id) for id in range(260, tokenizer.vocab_size)]
    assert [piece for piece in learned if not any(piece in form for form in spelt)] == []


@EACH_KIND
def test_a_vocabulary_is_no_larger_than_the_text_gives(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size <= 420
    assert train(["A b c.", "Je t'aime.", "a"], vocab_size=8000).vocab_size < 400


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("lines", [[], ["", " \u3000 "]])
def test_a_text_without_words_is_a_data_error(lines: list[str], kind: str) -> None:
    with pytest.raises(DataError, match="without words"):
        train(lines, kind=kind)


def test_a_vocabulary_too_small_for_the_characters_says_what_would_do() -> None:
    alphabet = [" ".join(map(chr, range(0x400, 0x460)))]
    with pytest.raises(UsageError, match=r"vocab_size = 300 has no room.* take (\d+)") as caught:
        train(alphabet, vocab_size=300)
    needed = int(caught.value.problem.split()[-1])
    assert train(alphabet, vocab_size=needed).vocab_size == needed


def test_a_coverage_that_sentencepiece_refuses_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="character_coverage"):
        train(character_coverage=0.9)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_hostile_lines_are_learned_from(kind: str) -> None:
    hostile = ["a" * 50_000, "▁ ▅ \x00 \ud800", "x\ty", "!" * 9_000, "b \u2028 c"]
    tokenizer = train(hostile, kind=kind)
    assert tokenizer.decode(tokenizer.encode("a x b").ids).text == "a x b"


def test_training_and_sampling_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    train(kind="bpe").candidates(" playing", 4)
    assert capfd.readouterr() == ("", "")


# ---- on disk


def test_a_saved_tokenizer_comes_back(tmp_path: Path) -> None:
    UNIGRAM.save(tmp_path / "tokenizer.model")
    loaded = Tokenizer.load(tmp_path / "tokenizer.model")
    assert loaded.to_bytes() == UNIGRAM.to_bytes()
    assert loaded.segment(" playing") == UNIGRAM.segment(" playing")


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the tokenizer .*absent\.model") as caught:
        Tokenizer.load(tmp_path / "absent.model")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 99])
def test_a_file_of_something_else_is_a_model_error(tmp_path: Path, content: bytes) -> None:
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


def test_a_word_is_spelt_apart_from_its_glued_twin() -> None:
    assert pieces(UNIGRAM, " aime")[0].startswith("▁")
    assert not pieces(UNIGRAM, "aime")[0].startswith("▁")


@EACH_KIND
@pytest.mark.parametrize(
    "form", [" \u200b", "\u200b", "\u00ad", "\x07", "\x00", "\ufffd", "\ue000", "👍", "▁", "ก"]
)
def test_a_form_without_pieces_is_spelt_in_its_utf8_bytes(tokenizer: Tokenizer, form: str) -> None:
    spelt = [f"<0x{byte:02X}>" for byte in form.strip().encode()]
    assert pieces(tokenizer, form) == ["▁"] * form.startswith(" ") + spelt


def test_a_lone_surrogate_is_read_as_a_replacement_character() -> None:
    assert UNIGRAM.segment("\ud800") == UNIGRAM.segment("\ufffd")


@EACH_KIND
def test_a_word_of_absurd_length_is_encoded(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode("x " + "aé" * 25_000 + " y")
    assert len(encoded.words) == 3
    assert tokenizer.decode(encoded.ids).text == encoded.raw


# ---- candidates for subword sampling


@EACH_KIND
def test_candidates_all_spell_the_form_and_the_usual_one_is_among_them(
    tokenizer: Tokenizer,
) -> None:
    found = [ids for ids, _ in tokenizer.candidates(" playing", 8)]
    assert tokenizer.segment(" playing") in found
    assert 1 < len(set(found)) == len(found) <= 8
    assert {"".join(map(tokenizer.piece, ids)) for ids in found} == {"▁playing"}


@EACH_KIND
def test_candidates_are_a_distribution_likeliest_first(tokenizer: Tokenizer) -> None:
    logp = [each for _, each in tokenizer.candidates(" playground", 6)]
    assert math.fsum(map(math.exp, logp)) == pytest.approx(1)
    assert logp == sorted(logp, reverse=True)


def test_unigram_candidates_differ_by_the_scores_of_their_pieces() -> None:
    (first, first_logp), (second, second_logp) = UNIGRAM.candidates(" playground", 2)
    score = SENTENCEPIECE.get_score
    by_pieces = sum(score(list(first))) - sum(score(list(second)))
    assert first_logp - second_logp == pytest.approx(by_pieces)


@EACH_KIND
def test_candidates_are_the_same_each_time(tokenizer: Tokenizer) -> None:
    once = tokenizer.candidates(" playground", 4)
    tokenizer.candidates(" children", 4)
    assert tokenizer.candidates(" playground", 4) == once


@EACH_KIND
@pytest.mark.parametrize("form", [" ก", "\u200b", " " + "a" * 5_000])
def test_a_form_without_a_choice_has_one_candidate(tokenizer: Tokenizer, form: str) -> None:
    assert tokenizer.candidates(form, 8) == [(tokenizer.segment(form), 0.0)]


# ---- encode


def test_encode_gives_each_piece_its_word() -> None:
    encoded = UNIGRAM.encode("I don't.")
    assert [word.text for word in encoded.words] == ["I", "do", "n't", "."]
    for index, form in enumerate([" I", " do", "n't", "."]):
        own = encoded.ids[encoded.word_ids == index]
        assert tuple(own) == UNIGRAM.segment(form)
    assert encoded.ids.dtype == encoded.word_ids.dtype == np.int32


def test_an_empty_line_is_an_end_alone() -> None:
    encoded = UNIGRAM.encode(" \u3000 ")
    assert (encoded.ids.tolist(), encoded.word_ids.tolist(), encoded.words) == ([EOS], [-1], ())


@given(ANY_TEXT, st.sampled_from([UNIGRAM, BPE, PLAIN]))
@PROPERTY
def test_every_word_owns_neighboring_pieces_and_nothing_is_unknown(
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
    assert PLAIN.decode(PLAIN.encode(raw).ids).text == text
    encoded, decoded = PLAIN.encode(text), PLAIN.decode(PLAIN.encode(text).ids)
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
    known = {UNIGRAM.piece(id): id for id in range(UNIGRAM.vocab_size)}
    return [known[name] for name in names]


@pytest.mark.parametrize(
    ("said", "text", "word_ids"),
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
    said: str, text: str, word_ids: list[int]
) -> None:
    decoded = UNIGRAM.decode(ids_of(*said.split()))
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
def test_any_ids_decode_to_words_that_never_go_back(ids: list[int]) -> None:
    decoded = UNIGRAM.decode(np.array(ids, np.int32))
    spoken = decoded.word_ids[np.array(ids, int) > UNK]
    assert len(decoded.word_ids) == len(ids)
    assert all(decoded.word_ids[np.array(ids, int) <= UNK] == -1)
    assert all(np.diff(spoken) >= 0)
    assert all(spoken < len(decoded.words))
    assert all(spoken >= 0) or not decoded.words
    assert decoded.words == words.split(decoded.text)
    crossed = {each.word for each in decoded.crossing}
    assert {*spoken.tolist(), *crossed} == set(range(len(decoded.words))), "a word without a piece"


def test_a_decoded_piece_of_two_words_belongs_to_both_by_their_characters() -> None:
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
def test_any_ids_say_what_sentencepiece_says(ids: list[int]) -> None:
    spoken = [id for id in ids if id > UNK]
    said = "".join(" " if c.isspace() else c for c in SENTENCEPIECE.decode(spoken))
    assert UNIGRAM.decode(spoken).text == said.strip()


def test_tokens_of_another_program_stay_one_word_each() -> None:
    tokens = ["do", "n't", "look", "aujourd'hui", "."]
    line = UNIGRAM.encode_tokens(tokens)
    assert [word.text for word in line.words] == tokens
    assert sorted(set(line.word_ids.tolist())) == [-1, 0, 1, 2, 3, 4]
    assert line.raw == "do n't look aujourd'hui ."
    assert UNIGRAM.encode_tokens([]).words == ()


# ---- plain quotes

#: Apostrophes and quotes that words are cut at alike, whether typographic or straight.
STRAIGHT = str.maketrans("’ʼ“”„", '\'\'"""')
QUOTED = st.text("aeijlndt ’ʼ“”„.?!", max_size=30)
CURLY_LINES = [line.replace("'", "’") + " “Oui”" for line in LINES]
STRAIGHT_LINES = [line.translate(STRAIGHT) for line in CURLY_LINES]
QUOTES = train(CURLY_LINES, normalize_quotes=True)


def test_typographic_quotes_teach_what_straight_ones_teach() -> None:
    straight = train(STRAIGHT_LINES, normalize_quotes=True)
    assert QUOTES.to_bytes() == straight.to_bytes()
    assert train(STRAIGHT_LINES).to_bytes() == straight.to_bytes()
    assert train(CURLY_LINES).to_bytes() != straight.to_bytes()


@given(ANY_TEXT.filter(bool))
@PROPERTY
def test_a_form_has_the_pieces_of_its_twin_with_straight_quotes(form: str) -> None:
    plain = "".join("'" if c in "‘’‚‛ʼ′´`" else '"' if c in "“”„‟″" else c for c in form)
    assert QUOTES.segment(form) == QUOTES.segment(plain)
    assert QUOTES.candidates(form, 4) == QUOTES.candidates(plain, 4)


@given(QUOTED)
@PROPERTY
def test_a_line_with_typographic_quotes_is_read_as_a_straight_one_with_its_own_words(
    raw: str,
) -> None:
    encoded, straight = QUOTES.encode(raw), QUOTES.encode(raw.translate(STRAIGHT))
    assert all(word.text == raw[word.start : word.end] for word in encoded.words)
    spans = [(word.start, word.end) for word in straight.words]
    if [(word.start, word.end) for word in encoded.words] == spans:  # "’ʼ" is two, "''" one
        assert encoded.ids.tolist() == straight.ids.tolist()
        assert encoded.word_ids.tolist() == straight.word_ids.tolist()
    assert QUOTES.decode(encoded.ids).text == " ".join(raw.translate(STRAIGHT).split())


def test_a_typographic_apostrophe_is_a_straight_one_in_an_elision_and_in_a_contraction() -> None:
    for typed, plain in [("Je t’aime", "Je t'aime"), ("I donʼt", "I don't"), ("“Oui”", '"Oui"')]:
        assert QUOTES.encode(typed).ids.tolist() == QUOTES.encode(plain).ids.tolist()
        assert UNIGRAM.encode(typed).ids.tolist() != UNIGRAM.encode(plain).ids.tolist()


def test_guillemets_stay() -> None:
    assert QUOTES.decode(QUOTES.encode("« Oui »").ids).text == "« Oui »"


def test_a_tokenizer_that_is_loaded_again_reads_quotes_as_it_is_told(tmp_path: Path) -> None:
    QUOTES.save(tmp_path / "model")
    loaded = Tokenizer.load(tmp_path / "model", normalize_quotes=True)
    assert loaded.encode("t’aime").ids.tolist() == QUOTES.encode("t'aime").ids.tolist()
    other = Tokenizer.load(tmp_path / "model")
    assert other.encode("t’aime").ids.tolist() != QUOTES.encode("t'aime").ids.tolist()


# ---- lines in capitals


def test_a_line_in_capitals_is_read_as_if_it_were_not_and_keeps_its_words() -> None:
    loud = UNIGRAM.encode("DO YOU LOVE THE OLD DOG?", lowercase=True)
    assert loud.ids.tolist() == UNIGRAM.encode("Do you love the old dog?").ids.tolist()
    assert [word.text for word in loud.words] == ["DO", "YOU", "LOVE", "THE", "OLD", "DOG", "?"]
    assert loud.raw == "DO YOU LOVE THE OLD DOG?"


# ---- literals


COPYING = Tokenizer.train(
    [*LINES, *string.ascii_letters, *"()"],
    config.TokenizerConfig(vocab_size=480, literals=True),
    literals=LiteralRules("en", "fr"),
)


def test_placeholders_stand_between_the_special_ids_and_the_bytes() -> None:
    assert len(UNIGRAM.placeholders) == 0
    assert list(COPYING.placeholders) == list(range(UNK + 1, UNK + 1 + N_PLACEHOLDERS))
    assert COPYING.piece(COPYING.placeholders[-1] + 1) == "<0x00>"
    assert COPYING.segment(" \x00")[-1] == COPYING.placeholders[-1] + 1
    again = Tokenizer.from_bytes(COPYING.to_bytes())
    assert again.placeholders == COPYING.placeholders


def test_a_marked_form_is_its_placeholder_and_no_text_is() -> None:
    for number in range(N_PLACEHOLDERS):
        id = COPYING.placeholders[number]
        space = COPYING.segment(" $a")[0]
        assert COPYING.segment(literals.add_mark("1,250", number)) == (id,)
        assert COPYING.segment(literals.add_mark(" 1,250", number)) == (space, id)
        assert COPYING.candidates(literals.add_mark(" 5", number), 8) == [((space, id), 0.0)]
        assert id not in COPYING.segment(f" {COPYING.piece(id)}")


def test_marked_forms_teach_the_vocabulary_nothing() -> None:
    counts = Counter(words.surface_forms(words.split(" ".join(LINES))))
    marked = counts + Counter({literals.add_mark(" zzz", 3): 1000})
    settings = config.TokenizerConfig(vocab_size=420, literals=True)
    one, other = (Tokenizer.train_on_counts(each, settings) for each in (counts, marked))
    assert one.to_bytes() == other.to_bytes()


def literals_of(raw: str) -> list[str]:
    return [raw[each.start : each.end] for each in COPYING.find_literals(raw)]


def test_a_name_that_would_be_spelt_in_bits_is_a_literal() -> None:
    assert literals_of("I love Xkwzqgh.") == ["Xkwzqgh"]
    assert literals_of("I love Children, PLAYING and xkwzqgh.") == []


def test_words_in_a_script_that_the_vocabulary_lacks_are_one_literal() -> None:
    assert literals_of("I love привет, мир and 我爱你。") == ["привет, мир", "我爱你。"]


@pytest.mark.parametrize(
    ("raw", "said", "text"),
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
def test_literals_put_back_touch_only_what_they_may(raw: str, said: str, text: str) -> None:
    ids: list[int] = []
    for part in re.findall(r"\{\d+\}|[^{]+", said):
        number = part.strip("{}")
        own = COPYING.placeholders[int(number)] if number.isdecimal() else None
        ids += [own] if own else COPYING.segment(part)
    assert COPYING.decode(ids, COPYING.encode(raw)).text == text


# What is unknown


def test_the_share_of_unknown_letters_is_that_of_words_in_bits_or_bytes():
    text = ["the house is near the river and the children love the old garden"] * 20
    tokenizer = Tokenizer.train(text, config.TokenizerConfig(vocab_size=340))
    assert tokenizer.unknown_share("the children love the house") == 0
    assert tokenizer.unknown_share("Привет мир") == 1
    assert tokenizer.unknown_share("zxqvjk wpfbzx") == 1
    assert tokenizer.unknown_share("house Привет") == 6 / 11
    assert tokenizer.unknown_share("") == tokenizer.unknown_share("12, 5!") == 0


def test_a_line_in_capitals_is_known_as_its_words_are():
    text = ["the house is near the river and the children love the old garden"] * 20
    tokenizer = Tokenizer.train(text, config.TokenizerConfig(vocab_size=340))
    assert tokenizer.unknown_share("THE CHILDREN LOVE", lowercase=True) < 0.5
    assert tokenizer.unknown_share("THE CHILDREN LOVE") == 1
