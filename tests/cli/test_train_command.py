"""attn train: the recipe, the files and messages, refusals, and how a training ends."""

import resource
import sys
from pathlib import Path

import pytest
from program import PAIRS, TINY, WORD_ALIGNER, attn
from training_log import read_events

from attn_cli import config
from attn_cli.nn.device import select_hardware

SHORT_TRAINING = (*TINY, "--max-steps", "4")


def test_the_printed_recipe_has_no_parent_paths_and_no_wide_padding(tmp_path, monkeypatch):
    long_path = tmp_path / ("a" * 100) / "a.tsv"
    long_path.parent.mkdir()
    long_path.write_text("a\tb\n")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "v.tsv").write_text("a\tb\n")
    monkeypatch.chdir(tmp_path / "here")
    text = ("--pairs", long_path, "--valid-pairs", "v.tsv")
    for arguments in ((), text):
        output = attn("train", *arguments, "--print-recipe").out
        assert "../" not in output
        assert " " * 40 not in output
    assert f'pairs = "{long_path}"  # ' in output
    assert 'valid_pairs = "v.tsv"' in output
    (tmp_path / "here" / "r.toml").write_text(output)
    assert attn("train", "r.toml", "--print-recipe").out == output


def resolve_recipe(*arguments):
    result = attn("train", *arguments, "--print-recipe")
    assert (result.status, result.err) == (0, "")
    return config.parse(result.out)


# The recipe


def test_the_printed_recipe_is_read_back_as_the_same_recipe(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "r.toml"
    path.write_text(attn("train", "--print-recipe").out)
    assert (
        resolve_recipe(path, "--set", "name=x")
        == resolve_recipe("--set", "name=x")
        != resolve_recipe()
    )


def test_paths_in_the_printed_recipe_are_valid_from_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Path(resolve_recipe().data.source).is_file()


def test_every_key_that_scripts_set_can_be_set():
    values = {
        "model.encoder.kind": "recurrent",
        "model.encoder.cell": "gru",
        "model.decoder.cell": "gru",
        "model.decoder.kind": "recurrent",
        "model.attention.kind": "additive",
        "model.attention.activation": "sigmoid",
        "train.max_steps": 7,
        "train.validate_every": 3,
        "train.precision": "bf16",
        "train.guided_alignment": "statistical",
        "seed": 5,
    }
    recipe = resolve_recipe(
        *(part for key, value in values.items() for part in ("--set", f"{key}={value}"))
    )
    for key, value in values.items():
        setting = recipe
        for name in key.split("."):
            setting = getattr(setting, name)
        assert setting == value


def test_a_named_option_takes_precedence_over_set():
    recipe = resolve_recipe("--set", "train.max_steps=5", "--max-steps", "6", "--seed", "9")
    assert (recipe.train.max_steps, recipe.seed) == (6, 9)


def test_text_on_the_command_line_replaces_the_text_of_the_recipe(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('[data]\nsource = "a"\ntarget = "b"\nvalid_pairs = "v"\n')
    data = resolve_recipe(path, "--pairs", tmp_path / "mine.tsv").data
    assert (data.source, data.target, Path(data.pairs).name) == ("", "", "mine.tsv")
    assert Path(data.valid_pairs).name == "v"


def test_file_extensions_set_the_languages(tmp_path):
    recipe = resolve_recipe("--source", tmp_path / "a.en.gz", "--target", tmp_path / "a.fr")
    assert (recipe.source, recipe.target, recipe.name) == ("en", "fr", "en-fr")


# Files and messages


def test_the_folder_is_a_model_with_a_log_and_checkpoints(tiny):
    names = {path.name for path in tiny.iterdir()}
    model = {"recipe.toml", "joint.spm", "model.safetensors", "bundle.json"}
    assert names == model | {"log.jsonl", "checkpoints"}
    assert {p.name for p in (tiny / "checkpoints").iterdir()} == {
        "last.safetensors", "plan.json", "step-0000080.safetensors", "step-0000160.safetensors",
    }  # fmt: skip


def test_every_row_of_the_log_is_an_event(tiny):
    rows = read_events(tiny)
    events = [row["event"] for row in rows]
    assert events[:2] == ["phase", "activity"]
    assert [each for each in events if each in ("data_prepared", "training_started")] == [
        "data_prepared",
        "training_started",
    ]
    assert events[-2:] == ["checkpoints_averaged", "training_finished"]
    assert events.count("progress") == 160 // 20
    assert [row["step"] for row in rows if row["event"] == "validation_finished"] == [80, 160]
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def test_in_a_pipe_each_event_is_a_plain_line_and_stdout_stays_empty(pairs_file, tmp_path):
    result = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *SHORT_TRAINING)
    assert (result.status, result.stdout) == (0, b"")
    lines = result.err.splitlines()
    assert len(lines) == len(read_events(tmp_path / "x")) + 1
    (network,) = (line for line in lines if line.startswith("network: "))
    assert network.split(", ")[1:3] == ["fp32", "1 thread"]
    assert "\x1b" not in result.err
    assert str(tmp_path / "x") in lines[-1]


def test_quiet_prints_nothing_about_a_successful_training(pairs_file, tmp_path):
    result = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *SHORT_TRAINING, "-q")
    assert (result.status, result.err) == (0, "")


def test_auto_precision_is_native_to_the_processor_and_is_reported(pairs_file, tmp_path):
    out = tmp_path / "x"
    text = ("--pairs", pairs_file, "--out", out)
    result = attn("train", *text, *SHORT_TRAINING, "--set", "train.precision=auto")
    (start,) = read_events(out, "training_started")
    assert start["precision"] == select_hardware("auto", "auto").precision
    assert f", {start['precision']}, " in result.err


def test_on_a_terminal_the_panel_shows_history_and_a_table(pairs_file, tmp_path):
    result = attn(
        "train", "--pairs", pairs_file, "--out", tmp_path / "x", *SHORT_TRAINING, terminal=True
    )
    assert result.status == 0
    output = result.err.rpartition("\x1b[?1049l")[2]  # the text after the alternate screen
    assert "finished: maximum updates" in output
    assert "BLEU" in output
    assert "attention weights of each" in output
    assert output.rstrip().endswith("--align")


@pytest.mark.parametrize(
    ("sentence", "title"),
    [("I see.", "attention, decoded"), ("I see. ||| Je vois.", "attention, forced")],
)
def test_the_watched_sentence_is_translated_and_shown(sentence, title, pairs_file, tmp_path):
    text = ("--pairs", pairs_file, "--out", tmp_path / "x", *SHORT_TRAINING, "--watch", sentence)
    result = attn("train", *text, terminal=True)
    assert result.status == 0
    output = result.err.rpartition("\x1b[?1049l")[2]
    assert title in output
    rows = read_events(tmp_path / "x", "sentence_translated")
    assert {row["source"] for row in rows} == {"I see."}
    assert rows[-1]["step"] == 4


@pytest.mark.parametrize("sentence", ["", " ", "I see. |||", "||| Je vois."])
def test_a_watched_sentence_without_words_is_refused(sentence, pairs_file, tmp_path):
    result = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", "--watch", sentence)
    assert result.status == 2
    assert "--watch" in result.err
    assert not (tmp_path / "x").exists()


def test_a_dumb_terminal_gets_plain_lines(pairs_file, tmp_path):
    text = ("--pairs", pairs_file, "--out", tmp_path / "x", *SHORT_TRAINING)
    result = attn("train", *text, terminal=True, environment={"TERM": "dumb"})
    assert result.status == 0
    assert "\x1b" not in result.err


def test_pairs_may_come_from_stdin(tmp_path):
    text = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())
    assert (
        attn("train", "--pairs", "-", "--out", tmp_path / "x", *SHORT_TRAINING, stdin=text).status
        == 0
    )


def test_the_recipe_of_a_model_in_a_symlinked_folder_finds_its_text(pairs_file, tmp_path):
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "disk" / "deep")
    out = tmp_path / "runs" / "x"
    assert attn("train", "--pairs", pairs_file, "--out", out, *SHORT_TRAINING).status == 0
    assert (out / config.load(out / "recipe.toml").data.pairs).samefile(pairs_file)


def test_every_skipped_line_is_reported_with_its_number(tmp_path):
    path = tmp_path / "p.tsv"
    rows = [f"{s}\t{t}".encode() for s, t in PAIRS.items()]
    rows[4], rows[6], rows[8] = b"no tab", b"\xff\tx", b"\tempty"
    path.write_bytes(b"\n".join(rows))
    err = attn("train", "--pairs", path, "--out", tmp_path / "x", *SHORT_TRAINING).err
    for number in (5, 7, 9):
        assert f"(line {number})" in err


# Training from a model


def test_training_from_a_model_keeps_its_quality_after_the_first_update(tiny, pairs_file, tmp_path):
    """With its vocabulary and weights it still translates every pair after one small update."""
    out = tmp_path / "tuned"
    text = ("--from", tiny, "--pairs", pairs_file, "--valid-pairs", pairs_file, "--out", out)
    small = ("--set", "train.learning_rate=1e-6", "--set", "train.precision=fp32")
    assert attn("train", *text, *small, "--max-steps", "1").status == 0
    (validation,) = read_events(out, "validation_finished")
    assert validation["bleu"] == pytest.approx(100)
    assert (out / "joint.spm").read_bytes() == (tiny / "joint.spm").read_bytes()


def test_unknown_file_extensions_do_not_prevent_training_from_a_model(tiny, tmp_path):
    for name, side in (("a.src", PAIRS), ("a.tgt", PAIRS.values())):
        (tmp_path / name).write_text("\n".join(side))
    recipe = resolve_recipe(
        "--from", tiny, "--source", tmp_path / "a.src", "--target", tmp_path / "a.tgt"
    )
    assert (recipe.source, recipe.target) == ("en", "")


# Refusals


def test_a_model_is_not_written_over(tiny, pairs_file):
    before = {path: path.stat().st_mtime_ns for path in tiny.iterdir()}
    result = attn("train", "--pairs", pairs_file, "--out", tiny, *SHORT_TRAINING)
    assert result.status == 2
    assert "--resume" in result.err
    assert "--force" in result.err
    assert before == {path: path.stat().st_mtime_ns for path in tiny.iterdir()}


def test_force_replaces_an_existing_model(model_copy, pairs_file):
    assert (
        attn("train", "--pairs", pairs_file, "--out", model_copy, *SHORT_TRAINING, "--force").status
        == 0
    )
    assert len(read_events(model_copy, "training_started")) == 1
    steps = {p.name for p in (model_copy / "checkpoints").glob("step-*")}
    assert steps == {"step-0000004.safetensors"}


def test_force_with_a_missing_text_file_keeps_the_existing_model(model_copy, tmp_path):
    result = attn("train", "--pairs", tmp_path / "no.tsv", "--out", model_copy, "--force")
    assert result.status == 3
    assert attn("translate", "-m", model_copy, "I see a dog.").out == "je vois un chien.\n"


def test_the_output_folder_can_be_used_again_after_a_missing_text_file(pairs_file, tmp_path):
    out = ("--out", tmp_path / "x", *SHORT_TRAINING)
    result = attn("train", "--pairs", tmp_path / "no.tsv", *out)
    assert result.status == 3
    assert "no such file" in result.err
    assert attn("train", "--pairs", pairs_file, *out).status == 0


def test_unequal_files_are_refused_with_both_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.en").write_text("a\n" * 7)
    (tmp_path / "a.fr").write_text("a\n" * 9)
    result = attn("train", "--source", "a.en", "--target", "a.fr", "--out", "x")
    assert result.status == 3
    assert "attn: a.en has 7 lines but a.fr has 9. " in result.err
    assert not (tmp_path / "x" / "checkpoints").exists()  # which has the text that was read


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "x"],
        ["--resume", "nowhere"],
        ["--resume", "x", "--pairs", "p"],
        ["--resume", "x", "--out", "y"],
        ["--source", "a.en", "--out", "x"],
        ["--max-steps", "0"],
        ["--set", "seed=99999999999999999999"],
        ["--set", "train.learning_rate=inf"],
        ["--set", "model.tie_embeddings=all", "--set", "tokenizer.joint=false"],
        [Path(__file__).parent],
    ],
)
def test_invalid_or_conflicting_options_are_usage_errors(arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.en").write_text("a\n")
    assert attn("train", *arguments).status == 2


def test_a_file_in_place_of_the_output_folder_is_a_usage_error(pairs_file, tmp_path):
    (tmp_path / "x").write_text("")
    assert attn("train", "--pairs", pairs_file, "--out", tmp_path / "x").status == 2
    assert attn("train", "--pairs", pairs_file, "--out", tmp_path / "x" / "y").status == 2


# Endings


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
@pytest.mark.parametrize("size_limit", [100, 100_000, 300_000], ids=["log", "vocabulary", "state"])
def test_a_full_disk_exits_with_status_5_and_names_the_file(pairs_file, tmp_path, size_limit):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_limit, before[1]))
    try:
        result = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *SHORT_TRAINING)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert result.status == 5
    assert f"cannot write {tmp_path / 'x'}" in result.err.replace("write into", "write")
    assert not list(tmp_path.rglob("*.safetensors.part"))


def test_a_diverging_training_exits_with_status_5_and_a_valid_log(pairs_file, tmp_path):
    out = tmp_path / "x"
    settings = ("--set", "train.learning_rate=1e6", "--set", "train.warmup_steps=0")
    result = attn("train", "--pairs", pairs_file, "--out", out, *TINY, *settings)
    assert result.status == 5
    assert "NaN or infinite" in result.err.splitlines()[-1]
    assert [row["in_a_row"] for row in read_events(out, "non_finite_update")] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_max_minutes_ends_a_training_with_a_model(pairs_file, tmp_path):
    out = tmp_path / "x"
    result = attn("train", "--pairs", pairs_file, "--out", out, *TINY, "--max-minutes", "0")
    assert result.status == 0
    assert b"--max-minutes left no time for an update" in result.stderr
    assert read_events(out)[-1]["reason"] == "minutes"
    assert attn("translate", "-m", out, "I see.").status == 0


def test_a_word_aligner_without_enough_time_is_left_out_with_a_notice(
    pairs_file, links_file, tmp_path, monkeypatch
):
    def run(trainer):
        assert 0 < trainer.max_seconds < 0.3 * 60 * 60
        raise TimeoutError

    monkeypatch.setattr("attn_cli.training.aligner_trainer.AlignerTrainer.run", run)
    out = tmp_path / "x"
    links = ("--set", f"train.guided_alignment={links_file}", "--max-minutes", "60")
    options = ("--out", out, *TINY, *WORD_ALIGNER, *links, "--max-steps", "5")
    result = attn("train", "--pairs", pairs_file, *options)
    assert result.status == 0
    assert "no word aligner: it would learn too little in the 1" in result.err
    assert read_events(out)[-1]["step"] == 5
    assert attn("translate", "-m", out, "I see.").status == 0
