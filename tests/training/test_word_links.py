"""Links find their pairs: read line by line beside the text, or voted for once and kept."""

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
def links(text, tmp_path):
    """The links of each pair of a part of the text, as a recipe with these settings has them."""

    def links(*settings, part=(0, 1, 2, 3), file=None, said=None, **given):
        if file is not None:
            (tmp_path / "links").write_text(file)
            settings = (*settings, f"train.guided_alignment={tmp_path / 'links'}")
        recipe = config.with_settings(config.Recipe(), list(settings))
        cache = tmp_path / "links.safetensors"
        found = prepare_word_links(
            recipe,
            text.subset(text.pairs[list(part)]),
            n_lines=N_LINES,
            cache=cache,
            workers=1,
            emit=[].append if said is None else said.append,
            **given,
        )
        if found is None:
            return None
        found.save(cache)
        return [found.table.links(pair) for pair in range(len(found.table))]

    return links


GUIDED = "train.guided_alignment=statistical"


@pytest.fixture
def aligners(monkeypatch):
    """Aligners that link first words with as many votes as they were asked times; the times."""
    asked = []

    def votes(source, target, *, seed, workers, program, on_progress, **how):
        if (how["max_seconds"] or math.inf) < 10:
            raise TimeoutError
        if (how["max_seconds"] or math.inf) < 20:
            how["on_omitted"](2)
        asked.append((list(source), list(target), seed, program))
        on_progress(0.5)
        return LinkTable.from_links([{(0, 0): 0.25 * len(asked)}] * len(asked[-1][0]))

    monkeypatch.setattr(statistical, "collect_votes", votes)
    return asked


# A file


def test_line_n_of_the_links_belongs_to_line_n_of_the_text(links):
    found = links(file="0-0 2-2\n0-0\n1-0\n\n0-0\n0-0\n")
    assert found == [{(0, 0): 1, (2, 2): 1}, {(1, 0): 1}, {}, {(0, 0): 1}]


def test_a_file_may_end_before_the_text_does(links):
    assert links(file="0-0\n") == [{(0, 0): 1}, {}, {}, {}]


def test_pairs_of_another_part_have_no_links_and_theirs_are_not_looked_at(links):
    assert links(file="9-9\n\n1-0\n", part=(1, 3)) == [{}, {(1, 0): 1}, {}, {}]


def test_weights_in_the_file_are_the_links_weights(links):
    found = links(file="0-0:0.5 1-1 2-2:0\n")
    assert found[0] == {(0, 0): 0.5, (1, 1): 1}


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
def test_a_file_that_does_not_belong_to_the_text_is_refused_with_its_line(links, file, problem):
    with pytest.raises(DataError, match=problem):
        links(file=file)


def test_a_file_that_is_not_there_is_refused(links, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        links(f"train.guided_alignment={tmp_path / 'statistcal'}")


def test_what_became_of_a_file_is_told(links):
    said = []
    links(file="0-0 1-1\n\n1-0\n", said=said)
    (linked,) = said
    assert (linked.pairs, linked.links, linked.cached) == (2, 3, False)


# Votes


def test_nothing_is_linked_where_nobody_wants_links(links, aligners):
    said = []
    for unguided in ("train.guided_alignment=none", "train.guided_alignment="):
        assert links("model.word_aligner=false", unguided, said=said) is None
    assert (said, aligners) == ([], [])


@pytest.mark.parametrize("setting", [GUIDED, "model.word_aligner=true"])
def test_aligners_are_asked_about_the_words_of_the_pairs_that_are_trained_on(
    links, aligners, setting
):
    assert links(setting, "seed=7", part=(1, 2)) == [{}, {(0, 0): 0.25}, {(0, 0): 0.25}, {}]
    assert aligners == [([("a", "b"), ("b", "c")], [("x",), ("y", "z")], 7, "thot")]


def test_votes_are_counted_once_for_the_same_text_and_the_same_aligners(links, aligners):
    said = []
    assert links(GUIDED) == links(GUIDED, said=said)
    assert len(aligners) == 1
    assert [type(event) for event in said] == [events.AlignmentsReady]
    assert said[0].cached


@pytest.mark.parametrize(
    "other",
    [("seed=2", (0, 1, 2)), ("seed=1", (0, 1)), ("train.aligner=eflomal", (0, 1, 2))],
    ids=["seed", "text", "aligners"],
)
def test_votes_of_something_else_are_counted_anew(links, aligners, other):
    setting, part = other
    links(GUIDED, part=(0, 1, 2))
    for _ in range(2):
        links(GUIDED, setting, part=part)
        assert len(aligners) == 2


def test_damaged_votes_are_counted_anew(links, aligners, tmp_path):
    links(GUIDED)
    (tmp_path / "links.safetensors").write_bytes(b"damaged")
    assert links(GUIDED)[0] == {(0, 0): 0.5}


def test_who_interrupts_the_aligners_gets_no_links_and_leaves_none_behind(
    links, aligners, tmp_path
):
    said = []
    assert links(GUIDED, said=said, interrupted=lambda: True) is None
    assert [type(event) for event in said] == [events.AlignmentProgress]
    assert not (tmp_path / "links.safetensors").exists()


def notices(said):
    return [event.message for event in said if isinstance(event, events.Notice)]


def test_where_there_is_no_time_for_one_aligner_there_are_no_links_and_that_is_said(
    links, aligners, tmp_path
):
    said = []
    assert links(GUIDED, said=said, max_seconds=9.0) is None
    (notice,) = notices(said)
    assert notice.startswith("no word links: one statistical aligner takes longer than the 9 s")
    assert not (tmp_path / "links.safetensors").exists()


def test_votes_without_aligners_that_had_no_time_are_of_that_training_alone(links, aligners):
    said = []
    few = links(GUIDED, said=said, max_seconds=19.0)
    (notice,) = notices(said)
    assert notice.startswith("2 of the statistical aligners left out")
    said.clear()
    assert links(GUIDED, said=said, resume=True) == few
    assert said[-1].cached
    assert notices(said) == []
    assert links(GUIDED) != few  # counted anew by all
    assert len(aligners) == 2


# A whole training


def trained(out, pairs_file, *arguments):
    ended = attn(
        "train", "--pairs", pairs_file, "--out", out, *TINY, "--max-steps", "2", *arguments
    )
    assert ended.status == 0, ended.err
    return ended.err


def test_a_training_links_its_words_once_and_goes_on_with_these_links(pairs_file, tmp_path):
    out = tmp_path / "x"
    said = trained(out, pairs_file, "--set", GUIDED)
    assert "word links: " in said
    assert "in 44 pairs" in said
    kept = (out / "checkpoints" / "links.safetensors").stat().st_mtime_ns
    resumed = attn("train", "--resume", out, "--max-steps", "3", "--threads", "1")
    assert "(from cache)" in resumed.err
    assert (out / "checkpoints" / "links.safetensors").stat().st_mtime_ns == kept


def test_a_training_finds_its_file_of_links_again_from_anywhere(pairs_file, tmp_path, monkeypatch):
    (tmp_path / "text").mkdir()
    file = tmp_path / "text" / "none"  # called as if there were none
    file.write_text("".join("0-0 1-1\n" for _ in PAIRS))
    monkeypatch.chdir(file.parent)
    said = trained(tmp_path / "x", pairs_file, "--set", "train.guided_alignment=./none")
    assert "word links: 88 in 44 pairs" in said
    monkeypatch.chdir(tmp_path)
    assert config.load(tmp_path / "x" / "recipe.toml").train.guided_alignment == "../text/none"
    resumed = attn("train", "--resume", "x", "--max-steps", "3", "--threads", "1")
    assert "word links: 88 in 44 pairs" in resumed.err


def test_links_that_are_refused_lose_no_model(tiny, pairs_file, tmp_path):
    out = shutil.copytree(tiny, tmp_path / "x")
    (tmp_path / "links").write_text("99-0\n" * len(PAIRS))
    file = f"train.guided_alignment={tmp_path / 'links'}"
    text = ("--pairs", pairs_file, "--out", out, "--force", *TINY)
    ended = attn("train", *text, "--set", file)
    assert ended.status == 3
    assert "links line 1 links words 99-0" in ended.err
    assert attn("translate", "-m", out, "I see a dog.").out == "je vois un chien.\n"
