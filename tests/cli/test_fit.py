"""attn align --fit: links learned from the given pairs, and the model that --out saves."""

import json
import os
import signal
import sys
from itertools import product

import pytest
from program import attn

from attn_cli.alignment import aligner_processes, statistical
from attn_cli.alignment.link_table import LinkTable
from attn_cli.training import aligner_pace, aligner_trainer, unsupervised_alignment
from attn_cli.training.link_prediction import LinkPredictor

#: Sentences of two words, whose translations have the reverse order: the aligners must learn that.
LEFT = {"red": "rouge", "old": "vieux", "big": "grand", "new": "neuf", "hot": "chaud"}
RIGHT = {"car": "auto", "dog": "chien", "sea": "lac", "tea": "riz", "bed": "lit"}
PAIRS = [(f"{a} {b}", f"{RIGHT[b]} {LEFT[a]}") for a, b in product(LEFT, RIGHT)]
TABBED = "".join(f"{s}\t{t}\n" for s, t in PAIRS)
CROSSED = "1-0 0-1"

FIT = ("align", "--fit", "--quiet")


@pytest.fixture
def sides(tmp_path):
    """The options --source and --target with files of these pairs."""
    source, target = tmp_path / "a.en", tmp_path / "a.fr"
    source.write_text("".join(f"{s}\n" for s, _ in PAIRS))
    target.write_text("".join(f"{t}\n" for _, t in PAIRS))
    return "--source", source, "--target", target


@pytest.fixture
def aligner_calls(monkeypatch):
    """Replace the aligners by a function that returns fixed votes; return the list of its calls."""
    calls = []

    def votes(source, target, *, on_progress, **_):
        calls.append((list(source), list(target)))
        on_progress(0.5)
        return LinkTable.from_links([{(1, 0): 0.9, (0, 1): 0.6, (0, 0): 0.1}] * len(calls[0][0]))

    monkeypatch.setattr(statistical, "collect_votes", votes)
    return calls


@pytest.fixture(scope="module")
def aligner_model(tmp_path_factory):
    """The folder of a model fitted to ten copies of these pairs, and the result of the command."""
    out = tmp_path_factory.mktemp("fit") / "aligner-model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unsupervised_alignment, "MIN_PAIRS", 20)
        patch.setattr(aligner_pace, "EPOCHS", 30)
        patch.setattr(aligner_trainer, "LEARNING_RATE", 0.01)
        ended = attn("align", "--fit", "--out", out, stdin=TABBED * 10)
    assert ended.status == 0, ended.err
    return out, ended


# Links


def test_statistical_alignment_links_the_words_that_correspond(sides):
    ended = attn(*FIT, *sides)
    assert (ended.status, ended.err) == (0, "")
    assert ended.lines() == [CROSSED] * len(PAIRS)


def test_two_files_one_file_and_a_pipe_give_the_same_links(sides, tmp_path):
    expected = attn(*FIT, *sides, "--scores").stdout
    (tmp_path / "a.tsv").write_text(TABBED)
    assert attn(*FIT, "--scores", stdin=TABBED).stdout == expected
    assert attn(*FIT, "--scores", stdin=TABBED.replace("\t", " ||| ")).stdout == expected
    assert attn(*FIT, "--scores", "-i", tmp_path / "a.tsv").stdout == expected


def test_the_same_seed_gives_the_same_links():
    ended = attn(*FIT, "--scores", "--seed", "7", stdin=TABBED)
    assert ended.stdout == attn(*FIT, "--scores", "--seed", "7", stdin=TABBED).stdout


def test_blank_lines_and_lines_that_are_not_utf8_keep_their_line_numbers(aligner_calls):
    pairs_text = b"red car\tauto rouge\n\n\xff car\tauto\n \t \nold\t\nold dog\tchien vieux"
    ended = attn("align", "--fit", "--threshold", "0.3", stdin=pairs_text)
    assert (ended.status, ended.lines()) == (0, [CROSSED, "", "", "", "", CROSSED])
    assert aligner_calls == [
        ([("red", "car"), ("old", "dog")], [("auto", "rouge"), ("chien", "vieux")])
    ]
    assert [line for line in ended.err.splitlines() if "UTF-8" in line] == [
        "attn: line 3: not valid UTF-8, read with U+FFFD"
    ]


@pytest.mark.usefixtures("aligner_calls")
def test_a_link_needs_half_of_the_votes_unless_a_threshold_is_given():
    pair = "red car\tauto rouge\n"
    assert attn(*FIT, "--scores", stdin=pair).lines() == ["1-0:0.90 0-1:0.60"]
    assert attn(*FIT, "--threshold", "0.7", stdin=pair).lines() == ["1-0"]
    assert attn(*FIT, "--threshold", "0.1", stdin=pair).lines() == ["0-0 1-0 0-1"]
    assert attn(*FIT, "--extract", "argmax", stdin="red car\tauto\n").lines() == ["1-0"]


def test_tokenized_text_is_split_into_words_at_spaces_only(aligner_calls):
    ended = attn(*FIT, "--tokenized", "-f", "jsonl", stdin="don't u.s.\tl'u.s. a\u00a0b\n")
    (record,) = ended.records()
    assert record["source_words"] == ["don't", "u.s."]
    assert record["target_words"] == ["l'u.s.", "a\u00a0b"]
    assert aligner_calls == [([("don't", "u.s.")], [("l'u.s.", "a\u00a0b")])]


@pytest.mark.usefixtures("aligner_calls")
def test_votes_give_no_score_and_each_row_of_them_sums_to_1_with_unaligned():
    pairs_text = "red car\tauto rouge\n\n"
    first, blank = attn(*FIT, "-f", "jsonl", stdin=pairs_text).records()
    assert (first["score"], first["logprobs"], first["nbest"]) == (None, [], [])
    assert first["weights"] == [[0.1, 0.9], [0.6, 0]]
    assert first["unaligned"] == [0, 0.4]
    assert (blank["score"], blank["weights"], blank["line"]) == (0, [], 2)


@pytest.mark.usefixtures("aligner_calls")
def test_a_pair_of_very_long_lines_is_accepted():
    ended = attn(*FIT, stdin=f"red car\tauto rouge\n{'a ' * 5000}\t{'b ' * 5000}\n")
    assert ended.status == 0
    assert ended.lines()[0] == CROSSED
    assert len(ended.lines()) == 2


def test_the_links_are_scored_against_gold_links(sides, tmp_path):
    (tmp_path / "gold").write_text(f"{CROSSED}\n" * len(PAIRS))
    ended = attn(*FIT, *sides, "--gold", tmp_path / "gold", "--index-base", "0")
    assert ended.err.startswith("AER 0.0 (P 100.0 R 100.0, 25 pairs, 50 sure")


# Messages


@pytest.mark.usefixtures("aligner_calls")
def test_stderr_reports_the_text_and_the_links_and_nothing_of_validation():
    err = attn("align", "--fit", stdin=TABBED).err.splitlines()
    assert err[0].startswith("text: 25 pairs, ")
    assert err[-1].startswith("word links: 75 in 25 pairs")
    assert not any(word in "".join(err) for word in ("validation", "BLEU", "update"))


@pytest.mark.usefixtures("aligner_calls")
def test_the_panel_on_a_terminal_does_not_mention_translation(tmp_path):
    (tmp_path / "a.tsv").write_text(TABBED)
    ended = attn("align", "--fit", "-i", tmp_path / "a.tsv", terminal=True)
    assert ended.status == 0
    assert "word links" in ended.err
    assert not any(word in ended.err for word in ("valid", "BLEU", "update"))
    assert ended.lines() == [CROSSED] * len(PAIRS)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_fit_exits_with_the_status_of_the_signal_and_no_links(
    monkeypatch, tmp_path, number, status
):
    def votes(*_, on_progress, **__):
        signal.raise_signal(number)
        on_progress(0.5)
        raise AssertionError("the signal was ignored")

    monkeypatch.setattr(statistical, "collect_votes", votes)
    ended = attn("align", "--fit", "--out", tmp_path / "x", stdin=TABBED)
    assert (ended.status, ended.stdout) == (status, b"")
    assert ended.err.splitlines()[-2:] == [
        "attn: saving, then stopping; interrupt again to stop at once",
        "attn: run the same command again to continue",
    ]
    monkeypatch.undo()
    assert attn(*FIT, "--out", tmp_path / "x", stdin=TABBED).status == 0
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["log.jsonl"]


def test_quick_uses_fewer_aligners_and_trains_no_word_aligner(monkeypatch):
    committees = []

    def votes(source, target, *, members, **_):
        committees.append(members)
        return LinkTable.from_links([{(1, 0): 1.0, (0, 1): 1.0}] * len(list(source)))

    monkeypatch.setattr(statistical, "collect_votes", votes)
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 0)
    assert attn(*FIT, "--quick", stdin=TABBED).lines() == [CROSSED] * len(PAIRS)
    assert attn(*FIT, stdin=TABBED).lines() == [CROSSED] * len(PAIRS)
    assert committees == [statistical.QUICK_COMMITTEE, statistical.COMMITTEE]


# Resuming


def test_an_interrupted_fit_resumes_after_its_finished_jobs_and_updates(
    monkeypatch, tmp_path, sides
):
    """Stop during the jobs, then during the aligner's updates; the result is that of one run."""
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 20)
    monkeypatch.setattr(unsupervised_alignment, "MIN_F1", 0.0)
    monkeypatch.setattr(aligner_pace, "EPOCHS", 20)
    monkeypatch.setattr(statistical, "SMALL_CORPUS", 0)
    expected = attn(*FIT, *sides, "--scores", "--out", tmp_path / "once", "--threads", "1")
    assert expected.status == 0
    jobs, updates = [], []

    def finish(plan, job, seconds, finish=aligner_processes.Schedule.finish):
        jobs.append(job.number)
        finish(plan, job, seconds)
        if len(jobs) == 3:
            signal.raise_signal(signal.SIGINT)

    def update(trainer, batch, update=aligner_trainer.AlignerTrainer._update):
        updates.append(trainer.state.step)
        update(trainer, batch)
        if len(updates) == 12:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(aligner_processes.Schedule, "finish", finish)
    monkeypatch.setattr(aligner_trainer.AlignerTrainer, "_update", update)
    command = (*FIT, *sides, "--scores", "--out", tmp_path / "x", "--threads", "1")
    assert [attn(*command).status for _ in range(2)] == [130, 143]
    ended = attn(*command)
    assert (ended.status, ended.stdout) == (0, expected.stdout)
    assert sorted(jobs) == list(range(2 * len(statistical.COMMITTEE)))
    assert updates == list(range(1, len(updates) + 1))
    weights = [tmp_path / name / "word_aligner.safetensors" for name in ("once", "x")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.usefixtures("aligner_calls")
def test_an_unfinished_fit_of_another_text_is_discarded_only_with_force(monkeypatch, tmp_path):
    def stop(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(unsupervised_alignment, "_train_aligner", stop)
    out = ("--out", tmp_path / "x")
    assert attn(*FIT, *out, stdin=TABBED).status == 130
    other = attn(*FIT, *out, stdin=TABBED[: TABBED.index("\n") + 1])
    assert (other.status, other.stdout) == (2, b"")
    assert "unfinished" in other.err
    monkeypatch.undo()
    assert attn(*FIT, *out, "--force", stdin=TABBED).status == 0


# The model that --out saves


def test_the_printed_links_are_those_on_which_word_aligner_and_votes_agree(aligner_model):
    out, ended = aligner_model
    assert ended.lines() == [CROSSED] * len(PAIRS) * 10
    assert f"attn align -m {out}" in ended.err.splitlines()[-1]


def test_the_saved_model_aligns_pairs_that_were_not_in_its_training_text(aligner_model):
    pairs_text = "hot car red\tauto rouge chaud\n\nred sea\tlac rouge\n"
    ended = attn("align", "-m", aligner_model[0], stdin=pairs_text)
    assert (ended.status, ended.lines()[1:]) == (0, ["", CROSSED])
    table = attn("align", "-m", aligner_model[0], "red sea", "lac rouge").lines()
    assert table[0].startswith("alignment, forced")


def test_the_saved_model_gives_no_score_to_a_target(aligner_model):
    pairs_text = "red sea\tlac rouge\n\t\n"
    first, blank = attn("align", "-m", aligner_model[0], "-f", "jsonl", stdin=pairs_text).records()
    assert (first["score"], first["logprobs"], first["nbest"]) == (None, [], [])
    assert first["model"] == "aligner-model"
    assert [(s, t) for s, t, _ in first["links"]] == [(1, 0), (0, 1)]
    assert (blank["score"], blank["logprobs"]) == (0, [])


@pytest.mark.parametrize(
    "arguments",
    [["translate", "red car"], ["align", "red car", "auto rouge", "--weights", "attention"]],
)
def test_the_saved_model_cannot_translate_and_has_no_attention(aligner_model, arguments):
    ended = attn(*arguments, "-m", aligner_model[0])
    assert (ended.status, ended.stdout) == (4, b"")
    assert "the model aligner-model has no decoder" in ended.err
    assert "attn align" in ended.err


def test_no_training_can_start_from_the_saved_model(aligner_model, tmp_path):
    (tmp_path / "a.tsv").write_text(TABBED)
    text = ("--pairs", tmp_path / "a.tsv", "--out", tmp_path / "x")
    ended = attn("train", "--from", aligner_model[0], *text)
    assert ended.status == 4
    assert "no decoder" in ended.err
    assert attn("train", "--resume", aligner_model[0]).status == 2


def test_the_saved_model_is_a_bundle_of_recipe_vocabulary_and_word_aligner(aligner_model):
    out, _ = aligner_model
    files = json.loads((out / "bundle.json").read_text())["files"]
    word_aligner = {"word_aligner.safetensors", "word_aligner.onnx"}
    assert files.keys() == {"recipe.toml", "joint.spm"} | word_aligner
    assert not (out / "model.safetensors").exists()


def test_the_list_of_models_shows_the_saved_model(aligner_model, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "words").symlink_to(aligner_model[0])
    monkeypatch.setenv("ATTN_HOME", str(tmp_path))
    (row,) = [line for line in attn("models", "list").lines() if str(tmp_path) in line]
    assert row.startswith("words")
    assert "aligns only" in row
    assert "BLEU" not in row
    assert 'name = "aligner-model"' in attn("models", "show", "words").out
    assert attn("align", "-m", "words", stdin="red sea\tlac rouge\n").lines() == [CROSSED]


@pytest.mark.usefixtures("aligner_calls")
def test_too_few_pairs_give_links_and_a_message_but_no_model(tmp_path):
    ended = attn("align", "--fit", "--out", tmp_path / "x", stdin=TABBED)
    assert ended.status == 0
    assert len(ended.lines()) == len(PAIRS)
    assert f"no model was saved in {tmp_path / 'x'}" in ended.err.splitlines()[-1]
    assert attn("align", "-m", tmp_path / "x", "a", "b").status == 4


@pytest.mark.usefixtures("aligner_calls")
def test_a_word_aligner_that_does_not_agree_with_the_votes_is_not_saved(monkeypatch, tmp_path):
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 20)
    monkeypatch.setattr(aligner_pace, "EPOCHS", 1)
    ended = attn("align", "--fit", "--out", tmp_path / "x", stdin=TABBED)
    assert (ended.status, ended.lines()) == (0, [CROSSED] * len(PAIRS))
    assert "learned too little" in ended.err
    assert not (tmp_path / "x" / "bundle.json").exists()


@pytest.mark.usefixtures("aligner_calls")
def test_a_pair_too_long_for_the_word_aligner_is_aligned_but_not_trained_on(monkeypatch, tmp_path):
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 20)
    monkeypatch.setattr(aligner_pace, "EPOCHS", 1)
    lengths = []
    monkeypatch.setattr(
        LinkPredictor, "word_groups", _record_source_lengths(LinkPredictor.word_groups, lengths)
    )
    pairs_text = f"{TABBED}{'red ' * 400}\tauto rouge\n"
    assert len(attn(*FIT, "--out", tmp_path / "x", stdin=pairs_text).lines()) == len(PAIRS) + 1
    assert max(lengths) < 20


def _record_source_lengths(word_groups, lengths):
    """Wrap the method so that it adds the padded length of each batch of sources to `lengths`."""

    def record(predictor, batch):
        lengths.append(batch.source.shape[1])
        return word_groups(predictor, batch)

    return record


# Replacing


def test_a_model_is_not_overwritten_without_force(aligner_model):
    before = {path: path.stat().st_mtime_ns for path in aligner_model[0].iterdir()}
    ended = attn(*FIT, "--out", aligner_model[0], stdin=TABBED)
    assert (ended.status, ended.stdout) == (2, b"")
    assert "--force" in ended.err
    assert "--resume" not in ended.err  # align has no such option
    assert before == {path: path.stat().st_mtime_ns for path in aligner_model[0].iterdir()}


@pytest.mark.usefixtures("aligner_calls")
def test_force_replaces_a_model_and_the_state_of_its_training(model_copy, monkeypatch):
    monkeypatch.setattr(unsupervised_alignment, "MIN_PAIRS", 20)
    monkeypatch.setattr(unsupervised_alignment, "MIN_F1", 0.0)
    monkeypatch.setattr(aligner_pace, "EPOCHS", 1)
    assert attn(*FIT, "--out", model_copy, "--force", stdin=TABBED).status == 0
    assert not (model_copy / "model.safetensors").exists()
    assert "has no training to resume" in attn("train", "--resume", model_copy).err
    assert attn("align", "-m", model_copy, "a", "b").lines()[0].startswith("alignment")


@pytest.mark.usefixtures("aligner_calls")
def test_force_keeps_the_former_model_if_there_is_no_new_one(model_copy):
    assert attn(*FIT, "--out", model_copy, "--force", stdin=TABBED).status == 0
    assert attn("translate", "-m", model_copy, "I see a dog.").out == "je vois un chien.\n"


# Refusals


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["red car", "auto rouge"], "one pair"),
        (["-m", "x"], "--model"),
        (["--weights", "alignment"], "--weights"),
        (["--reverse", "x"], "--reverse"),
        (["--symmetrize", "union"], "--reverse"),
        (["--level", "piece"], "--level"),
        (["--input-format", "jsonl"], "JSONL"),
        (["--source", "a.en"], "--target"),
        (["--source", "-", "--target", "a.fr"], "twice"),
        (["--seed", "-1"], "--seed"),
        (["--quick", "--out", "x"], "--quick"),
        (["--out", __file__], "is a file"),
    ],
)
def test_invalid_arguments_are_usage_errors(arguments, word):
    ended = attn("align", "--fit", *arguments, stdin=TABBED)
    assert (ended.status, ended.stdout) == (2, b"")
    assert word in ended.err


@pytest.mark.parametrize("option", [["--out", "x"], ["--force"], ["--quick"]])
def test_the_options_out_force_and_quick_need_fit(option):
    ended = attn("align", *option, "a", "b")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "--fit" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes there")
def test_a_pipe_in_place_of_a_file_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    ended = attn(*FIT, "--source", tmp_path / "pipe", "--target", tmp_path / "pipe")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "twice" in ended.err


@pytest.mark.parametrize(
    ("pairs_text", "word"),
    [
        ("red car\tauto\n\nred car auto\n", "line 3"),
        (b"red car\tauto\n\xff auto\n", "line 2"),
        ("", "no line"),
        ("\n \n", "no pair"),
    ],
)
def test_text_with_a_line_that_is_no_pair_is_refused_before_the_aligners_run(
    aligner_calls, pairs_text, word
):
    ended = attn(*FIT, stdin=pairs_text)
    assert (ended.status, ended.stdout, aligner_calls) == (3, b"", [])
    assert word in ended.err


def test_files_of_unequal_length_are_refused_with_both_counts(sides):
    sides[3].write_text("auto rouge\n")
    ended = attn(*FIT, *sides)
    assert (ended.status, ended.stdout) == (3, b"")
    assert "25 lines" in ended.err
