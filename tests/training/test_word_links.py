"""Word links of a text: read from a file line by line, or voted for once and cached."""

import math
import shutil

import pytest
from program import PAIRS, TINY, attn

from attn_cli import config
from attn_cli.alignment import statistical
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.errors import DataError
from attn_cli.training import events
from attn_cli.training.word_links import prepare_word_links

#: Six lines, two of which are left out: the pairs 0 to 3 are of the lines 1, 3, 4 and 6.
TEXT = "a b c\tx y z\nno tab\na b\tx\nb c\ty z\n\tempty\nc\tz\n"
N_LINES = 6


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.tsv"
    path.write_text(TEXT)
    corpus, _ = read_pairs(path)
    return corpus


@pytest.fixture
def prepare_links(text, tmp_path):
    """Return a function that prepares the links of a part of the text for these settings."""

    def prepare_links(*settings, part=(0, 1, 2, 3), file=None, log=None, **options):
        if file is not None:
            (tmp_path / "links").write_text(file)
            settings = (*settings, f"train.guided_alignment={tmp_path / 'links'}")
        recipe = config.with_settings(config.Recipe(), list(settings))
        cache = tmp_path / "links.safetensors"
        links = prepare_word_links(
            recipe,
            text.subset(text.pairs[list(part)]),
            n_lines=N_LINES,
            cache=cache,
            workers=1,
            emit=[].append if log is None else log.append,
            **options,
        )
        if links is None:
            return None
        links.save(cache)
        return [links.table.links(pair) for pair in range(len(links.table))]

    return prepare_links


GUIDED = "train.guided_alignment=statistical"


@pytest.fixture
def aligners(monkeypatch):
    """Replace the aligners; return the list of their calls. Call n links first words by n / 4."""
    calls = []

    def collect_votes(source, target, *, seed, workers, program, on_progress, **options):
        if (options["max_seconds"] or math.inf) < 10:
            raise TimeoutError
        if (options["max_seconds"] or math.inf) < 20:
            options["on_omitted"](2)
        calls.append((list(source), list(target), seed, program))
        on_progress(0.5)
        return LinkTable.from_links([{(0, 0): 0.25 * len(calls)}] * len(calls[-1][0]))

    monkeypatch.setattr(statistical, "collect_votes", collect_votes)
    return calls


# A file


def test_line_n_of_the_links_belongs_to_line_n_of_the_text(prepare_links):
    links = prepare_links(file="0-0 2-2\n0-0\n1-0\n\n0-0\n0-0\n")
    assert links == [{(0, 0): 1, (2, 2): 1}, {(1, 0): 1}, {}, {(0, 0): 1}]


def test_a_file_may_end_before_the_text_does(prepare_links):
    assert prepare_links(file="0-0\n") == [{(0, 0): 1}, {}, {}, {}]


def test_links_of_pairs_outside_the_part_are_not_read(prepare_links):
    assert prepare_links(file="9-9\n\n1-0\n", part=(1, 3)) == [{}, {(1, 0): 1}, {}, {}]


def test_weights_in_the_file_are_the_links_weights(prepare_links):
    links = prepare_links(file="0-0:0.5 1-1 2-2:0\n")
    assert links[0] == {(0, 0): 0.5, (1, 1): 1}


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("0-0\n" + "\n" * 6 + "0-0\n", "more lines than the 6"),
        ("0-0\n\n\n2-0\n", "line 4 links words 2-0 of a pair with 2 source and 2 target words"),
        ("0-3\n", "line 1 links words 0-3"),
        ("0-0\n\nx\n", "line 3 has 'x'"),
        ("0p0\n", "line 1 marks a link as possible"),
        ("0-0:1.5\n", "line 1 has a weight that is not between 0 and 1"),
        ("\n0-0\n", "no link for any pair"),
        ("", "no link for any pair"),
    ],
)
def test_a_file_that_does_not_belong_to_the_text_is_refused_with_its_line(
    prepare_links, file, problem
):
    with pytest.raises(DataError, match=problem):
        prepare_links(file=file)


def test_a_file_that_is_not_there_is_refused(prepare_links, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        prepare_links(f"train.guided_alignment={tmp_path / 'statistcal'}")


def test_the_numbers_of_pairs_and_links_of_a_file_are_reported(prepare_links):
    log = []
    prepare_links(file="0-0 1-1\n\n1-0\n", log=log)
    (event,) = log
    assert (event.pairs, event.links, event.cached) == (2, 3, False)


# Votes


def test_no_links_are_prepared_if_the_recipe_does_not_use_them(prepare_links, aligners):
    log = []
    for setting in ("train.guided_alignment=none", "train.guided_alignment="):
        assert prepare_links("model.word_aligner=false", setting, log=log) is None
    assert (log, aligners) == ([], [])


@pytest.mark.parametrize("setting", [GUIDED, "model.word_aligner=true"])
def test_the_aligners_get_the_words_of_the_pairs_that_are_trained_on(
    prepare_links, aligners, setting
):
    assert prepare_links(setting, "seed=7", part=(1, 2)) == [{}, {(0, 0): 0.25}, {(0, 0): 0.25}, {}]
    assert aligners == [([("a", "b"), ("b", "c")], [("x",), ("y", "z")], 7, "thot")]


def test_votes_are_counted_once_for_the_same_text_and_the_same_aligners(prepare_links, aligners):
    log = []
    assert prepare_links(GUIDED) == prepare_links(GUIDED, log=log)
    assert len(aligners) == 1
    assert [type(event) for event in log] == [events.AlignmentsReady]
    assert log[0].cached


@pytest.mark.parametrize(
    "other",
    [("seed=2", (0, 1, 2)), ("seed=1", (0, 1)), ("train.aligner=eflomal", (0, 1, 2))],
    ids=["seed", "text", "aligners"],
)
def test_votes_are_counted_again_for_another_seed_or_text_or_aligner(
    prepare_links, aligners, other
):
    setting, part = other
    prepare_links(GUIDED, part=(0, 1, 2))
    for _ in range(2):
        prepare_links(GUIDED, setting, part=part)
        assert len(aligners) == 2


def test_damaged_votes_are_counted_again(prepare_links, aligners, tmp_path):
    prepare_links(GUIDED)
    (tmp_path / "links.safetensors").write_bytes(b"damaged")
    assert prepare_links(GUIDED)[0] == {(0, 0): 0.5}


def test_interrupted_aligners_return_and_cache_no_links(prepare_links, aligners, tmp_path):
    log = []
    assert prepare_links(GUIDED, log=log, interrupted=lambda: True) is None
    assert [type(event) for event in log] == [events.AlignmentProgress]
    assert not (tmp_path / "links.safetensors").exists()


def notices(log):
    return [event.message for event in log if isinstance(event, events.Notice)]


def test_without_time_for_one_aligner_there_are_no_links_and_a_notice_says_so(
    prepare_links, aligners, tmp_path
):
    log = []
    assert prepare_links(GUIDED, log=log, max_seconds=9.0) is None
    (notice,) = notices(log)
    assert notice.startswith("no word links: one statistical aligner takes longer than the 9 s")
    assert not (tmp_path / "links.safetensors").exists()


def test_votes_without_the_slow_aligners_are_cached_for_that_training_only(prepare_links, aligners):
    log = []
    partial_links = prepare_links(GUIDED, log=log, max_seconds=19.0)
    (notice,) = notices(log)
    assert notice.startswith("2 of the statistical aligners left out")
    log.clear()
    assert prepare_links(GUIDED, log=log, resume=True) == partial_links
    assert log[-1].cached
    assert notices(log) == []
    assert prepare_links(GUIDED) != partial_links  # all aligners vote again
    assert len(aligners) == 2


# A whole training


def train(out, pairs_file, *arguments):
    result = attn(
        "train", "--pairs", pairs_file, "--out", out, *TINY, "--max-steps", "2", *arguments
    )
    assert result.status == 0, result.err
    return result.err


def test_a_training_counts_its_links_once_and_is_resumed_with_them(pairs_file, tmp_path):
    out = tmp_path / "x"
    stderr = train(out, pairs_file, "--set", GUIDED)
    assert "word links: " in stderr
    assert "in 44 pairs" in stderr
    modification_time = (out / "checkpoints" / "links.safetensors").stat().st_mtime_ns
    resumed = attn("train", "--resume", out, "--max-steps", "3", "--threads", "1")
    assert "(from cache)" in resumed.err
    assert (out / "checkpoints" / "links.safetensors").stat().st_mtime_ns == modification_time


def test_a_training_resumed_from_another_folder_finds_its_file_of_links(
    pairs_file, tmp_path, monkeypatch
):
    (tmp_path / "text").mkdir()
    file = tmp_path / "text" / "none"  # the name is the value of the setting for no links
    file.write_text("".join("0-0 1-1\n" for _ in PAIRS))
    monkeypatch.chdir(file.parent)
    stderr = train(tmp_path / "x", pairs_file, "--set", "train.guided_alignment=./none")
    assert "word links: 88 in 44 pairs" in stderr
    monkeypatch.chdir(tmp_path)
    assert config.load(tmp_path / "x" / "recipe.toml").train.guided_alignment == "../text/none"
    resumed = attn("train", "--resume", "x", "--max-steps", "3", "--threads", "1")
    assert "word links: 88 in 44 pairs" in resumed.err


def test_refused_links_leave_the_old_model_intact(tiny, pairs_file, tmp_path):
    out = shutil.copytree(tiny, tmp_path / "x")
    (tmp_path / "links").write_text("99-0\n" * len(PAIRS))
    file = f"train.guided_alignment={tmp_path / 'links'}"
    text = ("--pairs", pairs_file, "--out", out, "--force", *TINY)
    result = attn("train", *text, "--set", file)
    assert result.status == 3
    assert "links line 1 links words 99-0" in result.err
    assert attn("translate", "-m", out, "I see a dog.").out == "je vois un chien.\n"
