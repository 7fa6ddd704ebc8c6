"""--weights: the decoder's attention or its word aligner's, and how a model gets a word aligner."""

import json
import shutil

import pytest
from program import LINKS, PAIRS, TINY, WORD_ALIGNER, attn
from safetensors.numpy import load_file
from training_log import read_events

SOURCE, TARGET = "I see the red car.", "je vois la voiture rouge."
PAIRED = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())


@pytest.fixture
def translate(tiny_with_aligner):
    return lambda *arguments, **options: attn(
        "translate", "-m", tiny_with_aligner, *arguments, **options
    )


@pytest.fixture
def align(tiny_with_aligner):
    return lambda *arguments, **options: attn(
        "align", "-m", tiny_with_aligner, *arguments, **options
    )


# Which weights


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ([], "attention, decoded"),
        (["--weights", "attention"], "attention, decoded"),
        (["--weights", "alignment"], "alignment, decoded"),
    ],
)
def test_translate_shows_attention_unless_the_word_aligner_is_asked_for(translate, options, title):
    assert translate("--align", SOURCE, *options).lines()[0].startswith(title)


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ([], "alignment, forced"),
        (["--weights", "alignment"], "alignment, forced"),
        (["--weights", "attention"], "attention, forced"),
    ],
)
def test_align_shows_the_word_aligner_unless_attention_is_asked_for(align, options, title):
    assert align(SOURCE, TARGET, *options).lines()[0].startswith(title)


def test_align_shows_attention_where_there_is_no_word_aligner(tiny):
    assert attn("align", "-m", tiny, SOURCE, TARGET).lines()[0].startswith("attention, forced")


@pytest.mark.parametrize("arguments", [["translate", SOURCE], ["align", SOURCE, TARGET]])
def test_a_model_without_a_word_aligner_has_no_alignment_weights(tiny, arguments):
    result = attn(*arguments, "-m", tiny, "--weights", "alignment")
    assert (result.status, result.stdout) == (4, b"")
    assert "the model tiny has no word aligner" in result.err
    assert "--weights" in result.err


# Values


def test_the_word_aligner_reproduces_its_training_links(align):
    assert align(stdin=PAIRED).lines() == LINKS


def test_a_translation_has_the_same_alignment_in_forced_decoding(align, translate):
    translations = translate("--weights", "alignment", "-f", "jsonl", *PAIRS).records()
    pairs = "".join(f"{record['source']}\t{record['target']}\n" for record in translations)
    for forced, decoded in zip(
        align("-f", "jsonl", stdin=pairs).records(), translations, strict=True
    ):
        assert forced["links"] == decoded["links"]
        for row, expected in zip(forced["weights"], decoded["weights"], strict=True):
            assert row == pytest.approx(expected, abs=1e-3)


def test_the_score_is_that_of_the_decoder_for_both_kinds_of_weights(align):
    results = [align("-f", "jsonl", stdin=PAIRED)]
    results.append(align("-f", "jsonl", "--weights", "attention", stdin=PAIRED))
    for first, second in zip(*(each.records() for each in results), strict=True):
        assert first["score"] == pytest.approx(second["score"], abs=1e-3)
        assert first["logprobs"] == pytest.approx(second["logprobs"], abs=1e-3)
        assert first["nbest"][0]["score"] == first["score"]


@pytest.mark.parametrize("level", ["word", "piece"])
def test_a_row_of_the_word_aligner_and_its_unaligned_share_sum_to_1(align, level):
    pairs = PAIRED + "I see the the\tvois rouge Anna Anna\n"
    for record in align("-f", "jsonl", "--level", level, stdin=pairs).records():
        assert len(record["weights"]) == len(record["target_words"])
        for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
            assert len(row) == len(record["source_words"])
            assert sum(row) + unaligned == pytest.approx(1, abs=1e-2)


def test_the_threshold_applies_to_link_probabilities_and_not_to_cells(align):
    (record,) = align("-f", "jsonl", "--threshold", "0", SOURCE, TARGET).records()
    cells = [record["weights"][t][s] for s, t, _ in record["links"]]
    assert len(cells) == 36
    assert cells != [weight for *_, weight in record["links"]]
    for threshold in (0.3, 0.9, 0.999):
        (filtered_record,) = align(
            "-f", "jsonl", "--threshold", threshold, SOURCE, TARGET
        ).records()
        expected = [link for link in record["links"] if link[2] >= threshold]
        assert filtered_record["links"] == expected


def test_hostile_pairs_keep_their_line_numbers(align):
    pairs = ["", " \t", "I see.\t", "\tje vois.", "😀 e\u0301\t\x1b[0m", "we see " * 800 + "\ta b"]
    result = align("-f", "jsonl", stdin="\n".join(pairs))
    assert result.status == 0
    records = result.records()
    assert [record["line"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[2]["source_words"] == ["I", "see", "."]
    long_record = records[5]  # its table has only the words that were read
    assert len(long_record["weights"][0]) == len(long_record["source_words"]) < 1600
    assert [link for record in records[:4] for link in record["links"]] == []


def test_a_line_alone_gives_the_same_as_in_a_batch(translate):
    options = ("-f", "jsonl", "--weights", "alignment")
    batch = translate(*options, *PAIRS).records()
    for record, source in zip(batch[:5], PAIRS, strict=False):
        (single,) = translate(*options, source).records()
        assert single["target"] == record["target"]
        for row, expected in zip(single["weights"], record["weights"], strict=True):
            assert row == pytest.approx(expected, abs=2e-4)


# Training


def test_the_word_aligner_and_the_shortlist_of_its_links_are_files_of_the_bundle(
    tiny_with_aligner, tiny
):
    files = [
        json.loads((path / "bundle.json").read_text())["files"]
        for path in (tiny_with_aligner, tiny)
    ]
    assert files[0].keys() - files[1].keys() == {"word_aligner.safetensors", "shortlist.bin"}
    sizes = files[0]["word_aligner.safetensors"]["bytes"]
    assert (tiny_with_aligner / "word_aligner.safetensors").stat().st_size == sizes


def test_the_log_has_the_training_of_the_word_aligner_before_that_of_the_network(tiny_with_aligner):
    rows = read_events(tiny_with_aligner)
    events = [row["event"] for row in rows if row["event"] not in ("phase", "activity")]
    assert events[:3] == ["data_prepared", "alignments_ready", "aligner_training_progress"]
    assert events.index("aligner_trained") < events.index("training_started")


def test_training_a_word_aligner_leaves_the_random_numbers_of_the_network_unchanged(
    pairs_file, links_file, tmp_path
):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, *TINY, "--max-steps", "2")
    links = (
        "--set",
        f"train.guided_alignment={links_file}",
        "--set",
        "train.guided_alignment_weight=0",
    )
    assert attn("train", *text, *links, "--out", tmp_path / "without").status == 0
    aligner = (*WORD_ALIGNER, "--set", "train.aligner_steps=2")
    assert attn("train", *text, *links, *aligner, "--out", tmp_path / "with").status == 0
    with_aligner, without_aligner = (
        load_file(tmp_path / out / "model.safetensors") for out in ("with", "without")
    )
    assert with_aligner.keys() == without_aligner.keys()
    assert all((with_aligner[name] == without_aligner[name]).all() for name in with_aligner)


def test_training_from_a_model_continues_with_its_word_aligner(
    tiny_with_aligner, pairs_file, links_file, tmp_path
):
    """After one small update it still links every pair correctly."""
    text = ("--from", tiny_with_aligner, "--pairs", pairs_file, "--valid-pairs", pairs_file)
    short = (
        "--max-steps",
        "1",
        "--set",
        "train.aligner_steps=1",
        "--set",
        "train.guided_alignment_weight=0",
    )
    links = ("--set", f"train.guided_alignment={links_file}", "--threads", "1")
    settings = ("--set", "train.freeze_aligner=false", "--set", "train.export=none")
    result = attn("train", *text, *short, *links, *settings, "--out", tmp_path / "x")
    assert result.status == 0, result.err
    assert attn("align", "-m", tmp_path / "x", stdin=PAIRED).lines() == LINKS


def test_training_from_a_model_freezes_its_word_aligner_by_default(
    tiny_with_aligner, pairs_file, tmp_path
):
    text = ("--from", tiny_with_aligner, "--pairs", pairs_file, "--valid-pairs", pairs_file)
    limits = ("--max-steps", "1", "--threads", "1", "--set", "train.export=none")
    result = attn("train", *text, *limits, "--out", tmp_path / "x")
    assert result.status == 0, result.err
    aligner_file = tmp_path / "x" / "word_aligner.safetensors"
    assert (
        aligner_file.read_bytes() == (tiny_with_aligner / "word_aligner.safetensors").read_bytes()
    )
    assert attn("align", "-m", tmp_path / "x", stdin=PAIRED).lines() == LINKS
    resume = attn("train", "--resume", tmp_path / "x", "--max-steps", "2", "--threads", "1")
    assert resume.status == 0, resume.err
    assert (
        aligner_file.read_bytes() == (tiny_with_aligner / "word_aligner.safetensors").read_bytes()
    )


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"\xff" * len(data)])
def test_a_model_with_a_damaged_word_aligner_exits_with_status_4(
    tiny_with_aligner, tmp_path, damage
):
    out = shutil.copytree(tiny_with_aligner, tmp_path / "x")
    file = out / "word_aligner.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    result = attn("align", "-m", out, SOURCE, TARGET)
    assert (result.status, result.stdout) == (4, b"")
    assert "word_aligner.safetensors" in result.err
