"""Make small random Marian models in the layout of Transformers, with their own tokenizers."""

import io
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

#: Six scripts: Latin, Cyrillic, Greek, Arabic, Devanagari, Han and kana.
TEXT = """
the dog doesn't see my cat's house café naïve l'homme aujourd'hui qu'il aime Straße
собака не видит кошку и дом сегодня
ο σκύλος δεν βλέπει την γάτα σήμερα
الكلب لا يرى القطة في البيت اليوم
कुत्ता बिल्ली को नहीं देखता आज घर
犬は猫を見ない 狗看不见猫 今天 家
"""
WORDS = TEXT.split()
MARKS = ("", "", "", ".", "!", "?", ",", "…", " – ", " :", "»")

#: Lines whose spans are hard to find: odd spaces, NFKC, unknown signs, empty lines.
ODD_LINES = (
    "",
    " ",
    "  two  spaces ",
    "tab\tand\u00a0no-break\u3000ideographic",
    "½ ﬁne ①  ｆｕｌｌ　ｗｉｄｔｈ",
    "e\u0301 o\u0308 combining",
    "zero\u200bwidth and soft\u00adhyphen",
    "😀😀 emoji 👩‍👩‍👧 and ☃",
    "don't can't l'homme qu'il",
    "http://example.org/a?b=c&d=%20",
    "A" * 60,
    "\ufeffbyte order mark",
    "x\u0000y control \u0007 signs",
    "\ud800 lone surrogate".encode("utf-8", "replace").decode(),
    ">>fra<< the dog",
    "the >>fra<< dog",
    "<unk> </s> <pad> ▁ spelt out",
)


def random_lines(count: int, *, seed: int = 1) -> list[str]:
    """Return lines of words of all scripts, with punctuation and irregular spaces."""
    rng = random.Random(seed)
    lines = []
    for _ in range(count):
        words = (
            rng.choice(WORDS) + rng.choice(MARKS) + rng.choice((" ", " ", " ", "  ", ""))
            for _ in range(rng.randint(1, 12))
        )
        line = "".join(words)
        lines.append(line.upper() if rng.random() < 0.1 else line)
    return lines


@cache
def sentencepiece_model(
    seed: int, kind: str = "unigram", size: int = 220, *, byte_fallback: bool = False
) -> bytes:
    """Train a model with the defaults of SentencePiece, as users of Marian do."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(random_lines(2_000, seed=seed)),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        character_coverage=0.98,  # so that some signs are unknown
        byte_fallback=byte_fallback,
        num_threads=1,
        minloglevel=3,
    )
    return model.getvalue()


def pieces_of(model: bytes) -> list[str]:
    """Return the pieces of a model without its special pieces."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(id) for id in range(3, processor.vocab_size())]


def write_folder(
    folder: Path,
    *,
    shared: bool = True,
    bias: bool = True,
    language_tokens: bool = True,
    pickled: bool = False,
    spread: float = 1.0,
    kind: str = "unigram",
    **overrides: Any,
) -> Path:
    """Write a model of random parameters; `spread` is their standard deviation relative to
    Glorot's."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir(parents=True, exist_ok=True)
    source, target = sentencepiece_model(1, kind), sentencepiece_model(2, kind)
    tokens = [">>fra<<", ">>deu<<"] if language_tokens else []
    source_pieces, target_pieces = pieces_of(source), pieces_of(target)
    # A few pieces are not in the vocabulary, as in some models of Marian.
    lists = (
        [source_pieces[:-5], target_pieces[:-5]]
        if not shared
        else [sorted({*source_pieces[:-5], *target_pieces[:-5]})]
    )
    vocabularies = []
    for name, pieces in zip(("vocab.json", "target_vocab.json"), lists, strict=False):
        vocabulary = ["</s>", "<unk>", *tokens, *pieces, "<pad>"]
        vocabularies.append(vocabulary)
        write_json(folder / name, {piece: id for id, piece in enumerate(vocabulary)})
    (folder / "source.spm").write_bytes(source)
    (folder / "target.spm").write_bytes(target)
    sizes = [len(each) for each in vocabularies]
    settings = {
        "vocab_size": sizes[0],
        "decoder_vocab_size": sizes[-1],
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 40,
        "activation_function": "swish",
        "scale_embedding": True,
        "share_encoder_decoder_embeddings": shared,
        "pad_token_id": sizes[-1] - 1,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "decoder_start_token_id": sizes[-1] - 1,
        "max_position_embeddings": 512,
    } | overrides
    config = MarianConfig(**settings)
    torch.manual_seed(3)
    model = MarianMTModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.normal_(1.0 if name.endswith("norm.weight") else 0.0, 0.1)
            elif "embed_positions" not in name:
                weight.normal_(0.0, spread * sum(weight.shape) ** -0.5 * 2**0.5)
        for table in (model.model.encoder.embed_tokens, model.model.decoder.embed_tokens):
            table.weight.normal_(0.0, spread * config.d_model**-0.5)
            table.weight[config.pad_token_id if table.weight.shape[0] == sizes[-1] else -1] = 0
        if bias:
            model.final_logits_bias.normal_(0.0, 0.5)
    model.save_pretrained(folder)
    if pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    write_json(
        folder / "tokenizer_config.json",
        {"source_lang": "en", "target_lang": "fr", "separate_vocabs": not shared},
    )
    card = "---\nlanguage:\n- en\n- fr\nlicense: cc-by-4.0\n---\n# A model of random weights\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def write_json(path: Path, tree: object) -> None:
    path.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")


def load_marian(folder: Path) -> Any:
    """Open the model with Transformers, with attention weights."""
    from transformers import MarianMTModel

    return MarianMTModel.from_pretrained(folder, attn_implementation="eager").eval()


def load_tokenizer(folder: Path) -> Any:
    from transformers import MarianTokenizer

    return MarianTokenizer.from_pretrained(folder)


def marian_ids(rows: list[int], ids: Any) -> list[int]:
    """Convert ids of attn to those of Marian."""
    return [rows[id] for id in np.asarray(ids).tolist()]
