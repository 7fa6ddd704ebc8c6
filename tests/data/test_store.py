"""A prepared text on disk: it gives the batches of one in memory; a damaged one is refused."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from batches import have_equal_arrays

from attn_cli import config
from attn_cli.data import arrays, corpus_reader, store
from attn_cli.data.arrays import Column, Storage, StringArray, mapped_file, open_array
from attn_cli.data.augmentation import augment
from attn_cli.data.batching import Batch, BatchIterator, sequential_batches
from attn_cli.data.corpus_reader import CorpusOptions, read_pairs
from attn_cli.data.segmentation import SubwordCorpus, segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.errors import ModelError

AUGMENTATION = config.AugmentationConfig(
    lowercase=0.3, drop_final_punctuation=0.3, replace_names=0.5, replace_words=0.5
)
LINES = [f"Anna {n % 7} saw the piano of Boston. x{n}\tAnna {n % 5} a vu le piano de Boston. x{n}"
         for n in range(60)]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(LINES, config.TokenizerConfig(vocab_size=330))


@pytest.fixture(autouse=True)
def fewer_invented_words(monkeypatch):
    monkeypatch.setattr("attn_cli.data.augmentation.N_INVENTED", 200)


def prepare(
    tokenizer: Tokenizer,
    storage: Storage,
    options: config.AugmentationConfig = AUGMENTATION,
    sampling: float = 0.5,
) -> tuple[SubwordCorpus, SubwordCorpus]:
    """A training and a validation part, as `attn train` makes them."""
    text = "\n".join([*LINES, "", "too short\t" + "too long " * 20])
    corpus, _ = read_pairs("-", CorpusOptions(storage=storage), stdin=io.BytesIO(text.encode()))
    train, valid = corpus.split(5, seed=1)
    augmented, variants = augment(train, options, seed=1)
    data = segment_corpus(augmented, tokenizer, tokenizer, sampling=sampling, augmentation=variants)
    return (
        data.filter_lengths(max_length=60, max_ratio=6)[0],
        segment_corpus(valid, tokenizer, tokenizer),
    )


def batches_of(train: SubwordCorpus, valid: SubwordCorpus) -> list[Batch]:
    batches = BatchIterator(train, tokens=120, seed=3, pool=20)
    return [
        *(next(batches) for _ in range(40)),
        *sequential_batches(valid, valid.pairs, tokens=100),
    ]


@pytest.mark.parametrize("built_on_disk", [False, True])
@pytest.mark.parametrize(
    ("options", "sampling"), [(AUGMENTATION, 0.5), (config.AugmentationConfig(), 0.0)]
)
def test_batches_from_disk_are_those_from_memory(
    tokenizer, tmp_path, monkeypatch, built_on_disk, options, sampling
):
    in_memory = prepare(tokenizer, Storage(), options, sampling)
    # Small blocks, so that sentences, forms and strings are stored in several of them.
    monkeypatch.setattr(corpus_reader, "_BLOCK_SIZE", 7)
    monkeypatch.setattr("attn_cli.data.segmentation._FORMS", 5)
    monkeypatch.setattr(arrays, "_STRINGS", 3)
    storage = Storage.create(tmp_path / "text") if built_on_disk else Storage()
    saved = store.save(tmp_path / "text", *prepare(tokenizer, storage, options, sampling))
    opened = store.load(tmp_path / "text")
    for text in (saved, opened):
        batches = zip(batches_of(*in_memory), batches_of(text.train, text.valid), strict=True)
        assert all(have_equal_arrays(*pair) for pair in batches)
        assert text.train.corpus.digest == in_memory[0].corpus.digest
        assert list(text.valid.corpus.target_texts()) == list(in_memory[1].corpus.target_texts())
        assert text.train.corpus.source_counts() == in_memory[0].corpus.source_counts()


def test_a_loaded_text_is_memory_mapped_and_its_parts_share_one_array(tokenizer, tmp_path):
    text = store.save(tmp_path, *prepare(tokenizer, Storage()))
    values = [part.corpus.target.sentences.values for part in (text.train, text.valid)]
    assert values[0] is values[1]
    assert mapped_file(values[0]) is not None
    assert not values[0].flags.writeable
    assert mapped_file(text.train.source.pieces.values).parent == tmp_path


def test_a_folder_contains_only_the_arrays_of_the_text_and_their_index(tokenizer, tmp_path):
    for _ in range(2):  # the second time in place of the first
        storage = Storage.create(tmp_path / "text")
        store.save(tmp_path / "text", *prepare(tokenizer, storage))
    index = json.loads((tmp_path / "text" / store.INDEX).read_text())
    named = {file for part in ("train", "valid") for file in index[part]["arrays"].values()}
    assert {path.name for path in (tmp_path / "text").iterdir()} == named | {store.INDEX}


def test_the_digest_depends_on_the_words_and_the_split(tokenizer, tmp_path):
    train, valid = prepare(tokenizer, Storage())
    text = store.save(tmp_path, train, valid)
    assert text.digest == store.load(tmp_path).digest == store.digest_of(train.corpus, valid.corpus)
    assert text.digest != store.digest_of(train.corpus, train.corpus)


def test_a_loaded_text_has_the_saved_digests_and_they_match_its_words(tokenizer, tmp_path):
    """Digests are saved, since computing them for ten million pairs takes seconds."""
    store.save(tmp_path, *prepare(tokenizer, Storage()))
    index = json.loads((tmp_path / store.INDEX).read_text())
    opened = store.load(tmp_path)
    for part, text in (("train", opened.train), ("valid", opened.valid)):
        assert vars(text.corpus)["digest"] == index[part]["digest"]  # nothing was read for it
        assert replace(text.corpus).digest == index[part]["digest"]  # computed from the words


def damage(folder: Path, kind: str) -> None:
    index = json.loads((folder / store.INDEX).read_text())
    lines = folder / index["train"]["arrays"]["lines"]
    if kind == "nothing there":
        (folder / store.INDEX).unlink()
    elif kind == "cut short":
        lines.write_bytes(lines.read_bytes()[:-4])
    elif kind == "missing":
        lines.unlink()
    elif kind == "objects":
        np.save(lines, np.array([{}], object))
    elif kind == "another format":
        (folder / store.INDEX).write_text(json.dumps({**index, "format": store.FORMAT + 1}))
    elif kind == "elsewhere":
        index["train"]["arrays"]["lines"] = f"../{folder.name}/{lines.name}"
        (folder / store.INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize(
    "kind", ["nothing there", "cut short", "missing", "objects", "another format", "elsewhere"]
)
def test_an_incomplete_or_damaged_folder_is_refused(tokenizer, tmp_path, kind):
    folder = tmp_path / "text"
    store.save(folder, *prepare(tokenizer, Storage()))
    damage(folder, kind)
    with pytest.raises(ModelError, match="cannot read the prepared text in"):
        store.load(folder)


# Arrays


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_column_contains_the_appended_values(tmp_path, on_disk):
    column = Column(np.int32, tmp_path / "a.npy" if on_disk else None)
    for part in (np.arange(3, dtype=np.int32), b"", np.arange(5, dtype=np.int32).tobytes()):
        column.append(part)
    assert column.finish().tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    if on_disk:
        assert np.load(tmp_path / "a.npy").tolist() == open_array(tmp_path / "a.npy").tolist()


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("strings", [[], [" a", "", "l'", "日本", "\u2028", "é"] * 3])
def test_strings_are_read_by_index_and_by_iteration(tmp_path, monkeypatch, on_disk, strings):
    monkeypatch.setattr(arrays, "_STRINGS", 4)
    storage = Storage.create(tmp_path / "there") if on_disk else Storage()
    array = StringArray.from_strings(strings, storage, name="forms")
    assert list(array) == [array[n] for n in range(len(array))] == strings


def test_released_pages_are_read_again(tmp_path):
    values = Storage(tmp_path).store("a", np.arange(100_000))
    before = values.sum()
    arrays.release_pages(values)
    assert values.sum() == before
