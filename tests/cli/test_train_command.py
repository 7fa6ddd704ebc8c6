"""attn train: what it makes of its options, what it leaves behind, how it refuses and ends."""

import json
import resource
import sys
from pathlib import Path

import pytest
from program import PAIRS, TINY, WORD_ALIGNER, attn

from attn_cli import config
from attn_cli.nn.device import select_hardware

QUICK_COMMITTEE = (*TINY, "--max-steps", "4")


def test_the_printed_recipe_has_no_path_upwards_and_no_wide_padding(tmp_path, monkeypatch):
    long = tmp_path / ("a" * 100) / "a.tsv"
    long.parent.mkdir()
    long.write_text("a\tb\n")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "v.tsv").write_text("a\tb\n")
    monkeypatch.chdir(tmp_path / "here")
    text = ("--pairs", long, "--valid-pairs", "v.tsv")
    for arguments in ((), text):
        printed = attn("train", *arguments, "--print-recipe").out
        assert "../" not in printed
        assert " " * 40 not in printed
    assert f'pairs = "{long}"  # ' in printed
    assert 'valid_pairs = "v.tsv"' in printed
    (tmp_path / "here" / "r.toml").write_text(printed)
    assert attn("train", "r.toml", "--print-recipe").out == printed


def printed(*arguments):
    ended = attn("train", *arguments, "--print-recipe")
    assert (ended.status, ended.err) == (0, "")
    return config.parse(ended.out)


def log_of(out: Path):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


# The recipe


def test_the_printed_recipe_is_read_back_as_the_very_recipe(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "r.toml"
    path.write_text(attn("train", "--print-recipe").out)
    assert printed(path, "--set", "name=x") == printed("--set", "name=x") != printed()


def test_the_printed_recipe_finds_its_text_from_the_folder_one_is_in(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Path(printed().data.source).is_file()


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
    recipe = printed(
        *(part for key, value in values.items() for part in ("--set", f"{key}={value}"))
    )
    for key, value in values.items():
        found = recipe
        for name in key.split("."):
            found = getattr(found, name)
        assert found == value


def test_options_that_have_a_name_win_over_set():
    recipe = printed("--set", "train.max_steps=5", "--max-steps", "6", "--seed", "9")
    assert (recipe.train.max_steps, recipe.seed) == (6, 9)


def test_text_on_the_command_line_takes_the_place_of_the_recipes(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('[data]\nsource = "a"\ntarget = "b"\nvalid_pairs = "v"\n')
    data = printed(path, "--pairs", tmp_path / "mine.tsv").data
    assert (data.source, data.target, Path(data.pairs).name) == ("", "", "mine.tsv")
    assert Path(data.valid_pairs).name == "v"


def test_file_names_tell_the_languages(tmp_path):
    recipe = printed("--source", tmp_path / "a.en.gz", "--target", tmp_path / "a.fr")
    assert (recipe.source, recipe.target, recipe.name) == ("en", "fr", "en-fr")


# What it leaves


def test_the_folder_is_a_model_with_a_log_and_checkpoints(tiny):
    names = {path.name for path in tiny.iterdir()}
    model = {"recipe.toml", "joint.spm", "model.safetensors", "bundle.json"}
    assert names == model | {"log.jsonl", "checkpoints"}
    assert {p.name for p in (tiny / "checkpoints").iterdir()} == {
        "last.safetensors", "plan.json", "step-0000080.safetensors", "step-0000160.safetensors",
    }  # fmt: skip


def test_every_row_of_the_log_is_an_event(tiny):
    rows = log_of(tiny)
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
    ended = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *QUICK_COMMITTEE)
    assert (ended.status, ended.stdout) == (0, b"")
    lines = ended.err.splitlines()
    assert len(lines) == len(log_of(tmp_path / "x")) + 1
    (network,) = (line for line in lines if line.startswith("network: "))
    assert network.split(", ")[1:3] == ["fp32", "1 thread"]
    assert "\x1b" not in ended.err
    assert str(tmp_path / "x") in lines[-1]


def test_quiet_says_nothing_of_a_training_that_goes_well(pairs_file, tmp_path):
    ended = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *QUICK_COMMITTEE, "-q")
    assert (ended.status, ended.err) == (0, "")


def test_auto_precision_is_what_the_processor_computes_natively_and_is_said(pairs_file, tmp_path):
    out = tmp_path / "x"
    text = ("--pairs", pairs_file, "--out", out)
    ended = attn("train", *text, *QUICK_COMMITTEE, "--set", "train.precision=auto")
    (started,) = [row for row in log_of(out) if row["event"] == "training_started"]
    assert started["precision"] == select_hardware("auto", "auto").precision
    assert f", {started['precision']}, " in ended.err


def test_on_a_terminal_the_panel_shows_history_and_a_table(pairs_file, tmp_path):
    ended = attn(
        "train", "--pairs", pairs_file, "--out", tmp_path / "x", *QUICK_COMMITTEE, terminal=True
    )
    assert ended.status == 0
    shown = ended.err.rpartition("\x1b[?1049l")[2]  # what stays when the panel's screen is left
    assert "finished: maximum updates" in shown
    assert "BLEU" in shown
    assert "attention weights of each" in shown
    assert shown.rstrip().endswith("--align")


@pytest.mark.parametrize(
    ("watched", "title"),
    [("I see.", "attention, decoded"), ("I see. ||| Je vois.", "attention, forced")],
)
def test_a_sentence_of_ones_own_is_watched(watched, title, pairs_file, tmp_path):
    text = ("--pairs", pairs_file, "--out", tmp_path / "x", *QUICK_COMMITTEE, "--watch", watched)
    ended = attn("train", *text, terminal=True)
    assert ended.status == 0
    shown = ended.err.rpartition("\x1b[?1049l")[2]
    assert title in shown
    rows = [row for row in log_of(tmp_path / "x") if row["event"] == "sentence_translated"]
    assert {row["source"] for row in rows} == {"I see."}
    assert rows[-1]["step"] == 4


@pytest.mark.parametrize("watched", ["", " ", "I see. |||", "||| Je vois."])
def test_a_sentence_to_watch_has_words(watched, pairs_file, tmp_path):
    ended = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", "--watch", watched)
    assert ended.status == 2
    assert "--watch" in ended.err
    assert not (tmp_path / "x").exists()


def test_a_dumb_terminal_gets_plain_lines(pairs_file, tmp_path):
    text = ("--pairs", pairs_file, "--out", tmp_path / "x", *QUICK_COMMITTEE)
    ended = attn("train", *text, terminal=True, environment={"TERM": "dumb"})
    assert ended.status == 0
    assert "\x1b" not in ended.err


def test_pairs_may_come_from_stdin(tmp_path):
    text = "".join(f"{s}\t{t}\n" for s, t in PAIRS.items())
    assert (
        attn("train", "--pairs", "-", "--out", tmp_path / "x", *QUICK_COMMITTEE, stdin=text).status
        == 0
    )


def test_the_recipe_of_a_model_in_a_linked_folder_finds_its_text(pairs_file, tmp_path):
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "disk" / "deep")
    out = tmp_path / "runs" / "x"
    assert attn("train", "--pairs", pairs_file, "--out", out, *QUICK_COMMITTEE).status == 0
    assert (out / config.load(out / "recipe.toml").data.pairs).samefile(pairs_file)


def test_every_line_left_out_is_counted_with_its_number(tmp_path):
    path = tmp_path / "p.tsv"
    rows = [f"{s}\t{t}".encode() for s, t in PAIRS.items()]
    rows[4], rows[6], rows[8] = b"no tab", b"\xff\tx", b"\tempty"
    path.write_bytes(b"\n".join(rows))
    err = attn("train", "--pairs", path, "--out", tmp_path / "x", *QUICK_COMMITTEE).err
    for number in (5, 7, 9):
        assert f"(line {number})" in err


# Going on from a model


def test_from_a_model_the_first_update_is_already_good(tiny, pairs_file, tmp_path):
    """Its vocabulary and weights are taken: one small update later it still knows every pair."""
    out = tmp_path / "tuned"
    text = ("--from", tiny, "--pairs", pairs_file, "--valid-pairs", pairs_file, "--out", out)
    small = ("--set", "train.learning_rate=1e-6", "--set", "train.precision=fp32")
    assert attn("train", *text, *small, "--max-steps", "1").status == 0
    (validated,) = [row for row in log_of(out) if row["event"] == "validation_finished"]
    assert validated["bleu"] == pytest.approx(100)
    assert (out / "joint.spm").read_bytes() == (tiny / "joint.spm").read_bytes()


def test_file_endings_do_not_forbid_to_go_on_from_a_model(tiny, tmp_path):
    for name, side in (("a.src", PAIRS), ("a.tgt", PAIRS.values())):
        (tmp_path / name).write_text("\n".join(side))
    recipe = printed("--from", tiny, "--source", tmp_path / "a.src", "--target", tmp_path / "a.tgt")
    assert (recipe.source, recipe.target) == ("en", "")


# Refusals


def test_a_model_is_not_written_over(tiny, pairs_file):
    before = {path: path.stat().st_mtime_ns for path in tiny.iterdir()}
    ended = attn("train", "--pairs", pairs_file, "--out", tiny, *QUICK_COMMITTEE)
    assert ended.status == 2
    assert "--resume" in ended.err
    assert "--force" in ended.err
    assert before == {path: path.stat().st_mtime_ns for path in tiny.iterdir()}


def test_force_replaces_it(damaged, pairs_file):
    assert (
        attn("train", "--pairs", pairs_file, "--out", damaged, *QUICK_COMMITTEE, "--force").status
        == 0
    )
    assert [row["event"] for row in log_of(damaged)].count("training_started") == 1
    steps = {p.name for p in (damaged / "checkpoints").glob("step-*")}
    assert steps == {"step-0000004.safetensors"}


def test_force_with_text_that_is_not_there_loses_no_model(damaged, tmp_path):
    ended = attn("train", "--pairs", tmp_path / "no.tsv", "--out", damaged, "--force")
    assert ended.status == 3
    assert attn("translate", "-m", damaged, "I see a dog.").out == "je vois un chien.\n"


def test_after_a_mistyped_file_the_same_folder_can_be_used(pairs_file, tmp_path):
    out = ("--out", tmp_path / "x", *QUICK_COMMITTEE)
    ended = attn("train", "--pairs", tmp_path / "no.tsv", *out)
    assert ended.status == 3
    assert "no such file" in ended.err
    assert attn("train", "--pairs", pairs_file, *out).status == 0


def test_unequal_files_are_refused_with_both_counts(tmp_path):
    (tmp_path / "a.en").write_text("a\n" * 7)
    (tmp_path / "a.fr").write_text("a\n" * 9)
    text = ("--source", tmp_path / "a.en", "--target", tmp_path / "a.fr")
    ended = attn("train", *text, "--out", tmp_path / "x")
    assert ended.status == 3
    assert "7 lines" in ended.err
    assert "9" in ended.err
    assert not (tmp_path / "x" / "checkpoints").exists()  # nor the text as far as it was read


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
def test_what_makes_no_sense_is_wrong_usage(arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.en").write_text("a\n")
    assert attn("train", *arguments).status == 2


def test_a_file_where_the_model_should_go_is_wrong_usage(pairs_file, tmp_path):
    (tmp_path / "x").write_text("")
    assert attn("train", "--pairs", pairs_file, "--out", tmp_path / "x").status == 2
    assert attn("train", "--pairs", pairs_file, "--out", tmp_path / "x" / "y").status == 2


# Endings


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes there")
@pytest.mark.parametrize("room", [100, 100_000, 300_000], ids=["log", "vocabulary", "state"])
def test_a_full_disk_is_five_and_says_where(pairs_file, tmp_path, room):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        ended = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *QUICK_COMMITTEE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ended.status == 5
    assert f"cannot write {tmp_path / 'x'}" in ended.err.replace("write into", "write")
    assert not list(tmp_path.rglob("*.safetensors.part"))


def test_a_network_that_explodes_is_five_with_a_valid_log(pairs_file, tmp_path):
    out = tmp_path / "x"
    explode = ("--set", "train.learning_rate=1e6", "--set", "train.warmup_steps=0")
    ended = attn("train", "--pairs", pairs_file, "--out", out, *TINY, *explode)
    assert ended.status == 5
    assert "NaN or infinite" in ended.err.splitlines()[-1]
    assert [row["in_a_row"] for row in log_of(out) if row["event"] == "non_finite_update"] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_max_minutes_ends_a_training_with_a_model(pairs_file, tmp_path):
    out = tmp_path / "x"
    ended = attn("train", "--pairs", pairs_file, "--out", out, *TINY, "--max-minutes", "0")
    assert ended.status == 0
    assert log_of(out)[-1]["reason"] == "minutes"
    assert attn("translate", "-m", out, "I see.").status == 0


def test_a_word_aligner_that_does_not_fit_into_the_minutes_is_left_out_with_a_notice(
    pairs_file, links_file, tmp_path, monkeypatch
):
    def run(trainer):
        assert 0 < trainer.max_seconds < 0.3 * 60 * 60
        raise TimeoutError

    monkeypatch.setattr("attn_cli.training.aligner_trainer.AlignerTrainer.run", run)
    out = tmp_path / "x"
    links = ("--set", f"train.guided_alignment={links_file}", "--max-minutes", "60")
    how = ("--out", out, *TINY, *WORD_ALIGNER, *links, "--max-steps", "5")
    ended = attn("train", "--pairs", pairs_file, *how)
    assert ended.status == 0
    assert "no word aligner: it would learn too little in the 1" in ended.err
    assert log_of(out)[-1]["step"] == 5
    assert attn("translate", "-m", out, "I see.").status == 0
