"""--weights: the decoder's attention or its word aligner's, and how a model gets a word aligner."""

import json
import shutil

import pytest
from program import LINKS, PAIRS, TINY, WORD_ALIGNER, attn
from safetensors.numpy import load_file

SOURCE, TARGET = "I see the red car.", "je vois la voiture rouge."
PAIRED = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())


@pytest.fixture
def translate(tiny_with_aligner):
    return lambda *arguments, **how: attn("translate", "-m", tiny_with_aligner, *arguments, **how)


@pytest.fixture
def align(tiny_with_aligner):
    return lambda *arguments, **how: attn("align", "-m", tiny_with_aligner, *arguments, **how)


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
    ended = attn(*arguments, "-m", tiny, "--weights", "alignment")
    assert (ended.status, ended.stdout) == (4, b"")
    assert "the model tiny has no word aligner" in ended.err
    assert "--weights" in ended.err


# What they say


def test_the_links_of_the_word_aligner_are_those_it_was_taught(align):
    assert align(stdin=PAIRED).lines() == LINKS


def test_a_translation_has_the_same_alignment_as_when_it_is_given(align, translate):
    decoded = translate("--weights", "alignment", "-f", "jsonl", *PAIRS).records()
    given = "".join(f"{record['source']}\t{record['target']}\n" for record in decoded)
    for ours, theirs in zip(align("-f", "jsonl", stdin=given).records(), decoded, strict=True):
        assert ours["links"] == theirs["links"]
        for row, expected in zip(ours["weights"], theirs["weights"], strict=True):
            assert row == pytest.approx(expected, abs=1e-3)


def test_the_score_is_the_decoders_whichever_weights_are_shown(align):
    scored = [align("-f", "jsonl", stdin=PAIRED)]
    scored.append(align("-f", "jsonl", "--weights", "attention", stdin=PAIRED))
    for ours, theirs in zip(*(each.records() for each in scored), strict=True):
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-3)
        assert ours["logprobs"] == pytest.approx(theirs["logprobs"], abs=1e-3)
        assert ours["nbest"][0]["score"] == ours["score"]


@pytest.mark.parametrize("level", ["word", "piece"])
def test_a_row_of_the_word_aligner_and_its_unaligned_sum_to_one(align, level):
    given = PAIRED + "I see the the\tvois rouge Anna Anna\n"
    for record in align("-f", "jsonl", "--level", level, stdin=given).records():
        assert len(record["weights"]) == len(record["target_words"])
        for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
            assert len(row) == len(record["source_words"])
            assert sum(row) + unaligned == pytest.approx(1, abs=1e-2)


def test_links_go_by_their_probability_not_by_the_cell(align):
    (record,) = align("-f", "jsonl", "--threshold", "0", SOURCE, TARGET).records()
    cells = [record["weights"][t][s] for s, t, _ in record["links"]]
    assert len(cells) == 36
    assert cells != [weight for *_, weight in record["links"]]
    for least in (0.3, 0.9, 0.999):
        (some,) = align("-f", "jsonl", "--threshold", least, SOURCE, TARGET).records()
        kept = [link for link in record["links"] if link[2] >= least]
        assert some["links"] == kept


def test_hostile_pairs_keep_their_place(align):
    sides = ["", " \t", "I see.\t", "\tje vois.", "😀 e\u0301\t\x1b[0m", "we see " * 800 + "\ta b"]
    ended = align("-f", "jsonl", stdin="\n".join(sides))
    assert ended.status == 0
    records = ended.records()
    assert [record["line"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[2]["source_words"] == ["I", "see", "."]
    cut = records[5]  # its table has the words that were read
    assert len(cut["weights"][0]) == len(cut["source_words"]) < 1600
    assert [link for record in records[:4] for link in record["links"]] == []


def test_one_line_at_a_time_gives_what_many_give(translate):
    options = ("-f", "jsonl", "--weights", "alignment")
    together = translate(*options, *PAIRS).records()
    for record, source in zip(together[:5], PAIRS, strict=False):
        (alone,) = translate(*options, source).records()
        assert alone["target"] == record["target"]
        for row, expected in zip(alone["weights"], record["weights"], strict=True):
            assert row == pytest.approx(expected, abs=2e-4)


# A model gets a head


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


def test_the_log_tells_how_the_word_aligner_learns_before_the_network_does(tiny_with_aligner):
    rows = [json.loads(line) for line in (tiny_with_aligner / "log.jsonl").read_text().splitlines()]
    told = [row["event"] for row in rows if row["event"] not in ("phase", "activity")]
    assert told[:3] == ["data_prepared", "alignments_ready", "aligner_training_progress"]
    assert told.index("aligner_trained") < told.index("training_started")


def test_teaching_a_head_draws_nothing_from_the_random_numbers_of_the_network(
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
    head = (*WORD_ALIGNER, "--set", "train.aligner_steps=2")
    assert attn("train", *text, *links, *head, "--out", tmp_path / "with").status == 0
    ours, theirs = (load_file(tmp_path / out / "model.safetensors") for out in ("with", "without"))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_from_a_model_with_a_head_its_weights_are_gone_on_with(
    tiny_with_aligner, pairs_file, links_file, tmp_path
):
    """One small lesson later it still knows every pair."""
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
    learns = ("--set", "train.freeze_aligner=false", "--set", "train.export=none")
    ended = attn("train", *text, *short, *links, *learns, "--out", tmp_path / "x")
    assert ended.status == 0, ended.err
    assert attn("align", "-m", tmp_path / "x", stdin=PAIRED).lines() == LINKS


def test_from_a_model_its_head_stays_as_it_was_unless_it_is_to_learn(
    tiny_with_aligner, pairs_file, tmp_path
):
    text = ("--from", tiny_with_aligner, "--pairs", pairs_file, "--valid-pairs", pairs_file)
    brief = ("--max-steps", "1", "--threads", "1", "--set", "train.export=none")
    ended = attn("train", *text, *brief, "--out", tmp_path / "x")
    assert ended.status == 0, ended.err
    kept = tmp_path / "x" / "word_aligner.safetensors"
    assert kept.read_bytes() == (tiny_with_aligner / "word_aligner.safetensors").read_bytes()
    assert attn("align", "-m", tmp_path / "x", stdin=PAIRED).lines() == LINKS
    resumed = attn("train", "--resume", tmp_path / "x", "--max-steps", "2", "--threads", "1")
    assert resumed.status == 0, resumed.err
    assert kept.read_bytes() == (tiny_with_aligner / "word_aligner.safetensors").read_bytes()


@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: b"\xff" * len(whole)])
def test_a_model_whose_head_is_damaged_is_four(tiny_with_aligner, tmp_path, damage):
    out = shutil.copytree(tiny_with_aligner, tmp_path / "x")
    file = out / "word_aligner.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    ended = attn("align", "-m", out, SOURCE, TARGET)
    assert (ended.status, ended.stdout) == (4, b"")
    assert "word_aligner.safetensors" in ended.err
