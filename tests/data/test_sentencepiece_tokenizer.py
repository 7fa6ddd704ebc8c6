"""SentencePiece on raw lines: the pieces of SentencePiece, and words by their spans."""

import numpy as np
import pytest
import sentencepiece
from marian_models import ODD_LINES, pieces_of, random_lines, sentencepiece_model

from attn_cli.data import words
from attn_cli.data.piece_words import words_of_pieces
from attn_cli.data.sentencepiece_tokenizer import SPECIALS, SentencePieceTokenizer
from attn_cli.errors import ModelError
from attn_cli.types import BOS, EOS, PAD, UNK, Word

LINES = [*ODD_LINES, *random_lines(200)]


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def tokenizer(request):
    return make_tokenizer(request.param)


def make_tokenizer(kind="unigram", *, tokens=(">>fra<<", ">>deu<<"), **options):
    model = sentencepiece_model(1, kind)
    return SentencePieceTokenizer(model, [*SPECIALS, *tokens, *pieces_of(model)], **options)


def test_the_pieces_of_a_line_are_those_of_sentencepiece(tokenizer):
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.to_bytes())
    id_by_piece = {tokenizer.piece(id): id for id in range(tokenizer.vocab_size)}
    for line in LINES:
        text = line.removeprefix(">>fra<<")
        encoded = tokenizer.encode(line)
        start = 1 if text != line else 0
        pieces = processor.encode_as_pieces(text)
        assert list(encoded.pieces[start:-1]) == pieces, line
        ids = [*(id_by_piece.get(piece, UNK) for piece in pieces), EOS]
        assert encoded.ids.tolist()[start:] == ids, line


def test_words_are_those_of_the_raw_line_and_shares_sum_to_one(tokenizer):
    for line in LINES:
        encoded = tokenizer.encode(line)
        start = len(">>fra<<") if line.startswith(">>fra<<") else 0
        assert [(w.start - start, w.end - start) for w in encoded.words] == [
            (w.start, w.end) for w in words.split(line[start:])
        ]
        assert all(line[word.start : word.end] == word.text for word in encoded.words)
        assert encoded.word_ids[-1] == -1, line
        if encoded.words:
            first = 1 if start else 0
            assert (encoded.word_ids[first:-1] >= 0).all(), line
            assert (np.diff(encoded.word_ids[first:-1]) >= 0).all(), line
        shares = {}
        for piece, _, share in encoded.crossing:
            shares[piece] = shares.get(piece, 0) + share
        assert list(shares.values()) == pytest.approx([1.0] * len(shares)), line


def test_decode_gives_the_normalized_line_and_its_words(tokenizer):
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.to_bytes())
    lines = [line for line in random_lines(100, seed=5) if UNK not in tokenizer.encode(line).ids]
    assert lines
    for line in lines:
        decoded = tokenizer.decode(tokenizer.encode(line).ids)
        assert decoded.text == processor.decode(processor.encode(line)).strip()
        assert decoded.words == words.split(decoded.text)


def test_a_piece_belongs_to_words_by_its_visible_characters():
    text = "I don't  know."
    line_words = words.split(text)
    assert [word.text for word in line_words] == ["I", "do", "n't", "know", "."]
    spans = [(0, 1), (1, 5), (5, 9), (9, 14), (14, 14)]  # I, " don", "'t  ", "know.", ""
    word_of, crossing = words_of_pieces(text, spans, line_words)
    assert word_of.tolist() == [0, 1, 2, 3, 4]
    assert [(piece, word) for piece, word, _ in crossing] == [(1, 1), (1, 2), (3, 3), (3, 4)]
    assert [share for *_, share in crossing] == pytest.approx([2 / 3, 1 / 3, 4 / 5, 1 / 5])


def test_spaces_belong_to_the_next_or_last_word_and_to_none_in_a_blank_text():
    line_words = (Word("a", 1, 2), Word("b", 4, 5))
    word_of, crossing = words_of_pieces(
        " a  b ", [(0, 1), (1, 2), (2, 4), (4, 5), (5, 6)], line_words
    )
    assert (word_of.tolist(), crossing) == ([0, 0, 1, 1, 1], ())
    assert words_of_pieces("  ", [(0, 2)], ())[0].tolist() == [-1]


def test_a_language_token_is_one_piece_of_no_word():
    tokenizer = make_tokenizer(target_token=">>deu<<")
    other, default = tokenizer.encode(">>fra<< the dog"), tokenizer.encode("the dog")
    assert (other.pieces[0], default.pieces[0]) == (">>fra<<", ">>deu<<")
    assert other.word_ids[0] == default.word_ids[0] == -1
    assert [word.text for word in other.words] == [word.text for word in default.words]
    assert other.words[0].start == len(">>fra<< ")
    unknown = make_tokenizer().encode(">>xyz<< the dog")
    assert unknown.word_ids[0] == 0
    assert tokenizer.decode(default.ids).text == "the dog"


def test_a_target_token_that_is_not_in_the_vocabulary_is_refused():
    with pytest.raises(ModelError, match=">>ita<<") as error:
        make_tokenizer(target_token=">>ita<<")
    assert ">>deu<<, >>fra<<" in error.value.hint


def test_a_line_in_capitals_is_read_in_lower_case_with_the_words_of_the_raw_line():
    tokenizer = make_tokenizer()
    line = tokenizer.encode("THE DOG DOESN'T SEE", case="lowercase")
    assert line.ids.tolist() == tokenizer.encode("The dog doesn't see").ids.tolist()
    assert [word.text for word in line.words] == ["THE", "DOG", "DOES", "N'T", "SEE"]


def test_forms_are_segmented_as_in_a_line():
    tokenizer = make_tokenizer()
    with_space, without_space = tokenizer.segment(" dog"), tokenizer.segment("dog")
    assert with_space == tuple(tokenizer.encode("dog").ids[:-1])
    assert not tokenizer.piece(without_space[0]).startswith("\u2581")
    assert dict(tokenizer.candidates(" doesn't", 8))[tokenizer.segment(" doesn't")] <= 0
    tokens = tokenizer.encode_tokens(["doesn't", "see", "."])
    assert [word.text for word in tokens.words] == ["doesn't", "see", "."]
    assert set(tokens.word_ids.tolist()) == {0, 1, 2, -1}


def test_special_ids_decode_to_an_empty_text():
    model = sentencepiece_model(1)
    tokenizer = SentencePieceTokenizer(model, [*SPECIALS, *pieces_of(model)])
    assert tokenizer.decode([BOS, PAD, UNK, EOS]).text == ""


def test_byte_pieces_decode_to_the_character_of_their_utf8_bytes():
    model = sentencepiece_model(1, size=500, byte_fallback=True)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    tokenizer = SentencePieceTokenizer(model, [*SPECIALS, *pieces_of(model)])
    line = "the dog 👍 see."
    encoded = tokenizer.encode(line)
    byte_pieces = ("<0xF0>", "<0x9F>", "<0x91>", "<0x8D>")  # U+1F44D in UTF-8
    assert tuple(piece for piece in encoded.pieces if piece.startswith("<0x")) == byte_pieces
    decoded = tokenizer.decode(encoded.ids)
    assert decoded.text == processor.decode(processor.encode(line)) == line
    assert [word.text for word in decoded.words] == ["the", "dog", "👍", "see", "."]
    at = encoded.pieces.index("<0xF0>")
    for each in (encoded, decoded):
        assert each.word_ids[at : at + 4].tolist() == [2, 2, 2, 2]
    assert set(encoded.ids[at : at + 4]) <= set(tokenizer.fallback_pieces)
    incomplete = [id for id in encoded.ids if tokenizer.piece(id) != "<0x8D>"]
    assert "\ufffd" in tokenizer.decode(incomplete).text


def test_a_piece_spelled_like_a_byte_is_text_in_a_model_without_byte_pieces():
    tokenizer = make_tokenizer(tokens=("<0x41>",))
    assert tokenizer.decode([len(SPECIALS)]).text == "<0x41>"
    assert tokenizer.fallback_pieces.tolist() == [EOS, UNK]


@pytest.mark.parametrize(
    ("model", "pieces", "problem"),
    [
        (b"no model", SPECIALS, "not a SentencePiece model"),
        (None, ["a", "b"], "no vocabulary of <pad>"),
        (None, [*SPECIALS, "a", "a"], "no vocabulary of <pad>"),
    ],
)
def test_a_file_of_another_format_is_refused(model, pieces, problem):
    with pytest.raises(ModelError, match=problem):
        SentencePieceTokenizer(model or sentencepiece_model(1), pieces, where="x.spm")
