"""Imported models: formats, streams, batches, confidence and fine-tuning, as of other models."""

import subprocess
import sys

import pytest
from marian_models import write_folder
from program import PAIRS, attn
from training_log import losses_of

from attn_cli.bundles.bundle import open_bundle
from attn_cli.config import from_dict
from attn_cli.errors import UsageError

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")  # warnings of transformers itself

LINES = ["the dog doesn't see my cat's house.", "", "42 % of http://a.example/x and 😀"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of an imported model of random weights."""
    home = tmp_path_factory.mktemp("home")
    folder = write_folder(home / "opus", spread=1.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", str(home))
        assert attn("models", "import", folder, "--name", "imported").status == 0
    return home / "models" / "imported"


@pytest.fixture
def pairs(tmp_path):
    """A file of more pairs than a calibration needs."""
    path = tmp_path / "pairs.tsv"
    lines = [f"{s}\t{t}\n" for s, t in PAIRS.items()]
    path.write_text("".join([*lines, *(line.lower() for line in lines)]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("format", "part"),
    [
        ("text", ""),
        ("table", "does"),
        ("pharaoh", " ||| "),
        ("jsonl", '"source_words": ["the", "dog", "does", "n\'t"'),
        ("tsv", "\tn't\t"),
        ("gloss", "n't"),
        ("gb4e", "\\gll"),
    ],
)
@pytest.mark.parametrize("level", ["word", "piece"])
def test_each_text_format_is_written(model, format, part, level):
    ended = attn("translate", "-m", model, "-f", format, "--level", level, LINES[0])
    assert ended.status == 0, ended.err
    assert ended.out
    assert level == "piece" or part in ended.out


@pytest.mark.parametrize("command", ["translate", "align"])
@pytest.mark.parametrize(
    ("name", "start"),
    [("a.html", b"<!"), ("a.svg", b"<svg"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")],
)
def test_pictures_and_pages_are_written(model, tmp_path, command, name, start):
    if name[-3:] in ("png", "pdf"):
        pytest.importorskip("typst")
    text = (LINES[0],) if command == "translate" else (LINES[0], "le chien ne voit pas.")
    ended = attn(command, "-m", model, "-o", tmp_path / name, *text)
    assert ended.status == 0, ended.err
    assert (tmp_path / name).read_bytes().startswith(start)


def test_the_n_best_of_a_beam_are_distinct_and_in_order(model):
    options = ("-f", "jsonl", "--beam", "4", "--n-best", "3")
    (record,) = attn("translate", "-m", model, *options, LINES[0]).records()
    scores = [each["score"] for each in record["nbest"]]
    assert len({each["target"] for each in record["nbest"]}) == 3
    assert scores == sorted(scores, reverse=True)


def test_a_process_writes_each_translation_before_it_reads_the_next_line(model):
    command = [sys.executable, "-m", "attn_cli", "translate", "-m", model, "--threads", "1"]
    expected = attn("translate", "-m", model, stdin="\n".join(LINES)).out.splitlines()
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        for line, translation in zip(LINES, expected, strict=True):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{translation}\n"
        process.stdin.close()
        assert process.wait() == 0


def test_a_batch_of_files_has_the_records_of_translate_and_align(model, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    from serial_batch import use_no_cluster

    use_no_cluster(monkeypatch)
    source, out = tmp_path / "a.en", tmp_path / "out"
    source.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    token = ("--target-token", "deu")
    ended = attn("batch", "-m", model, source, "-o", out, *token)
    assert ended.status == 0, ended.err
    expected = attn("translate", "-m", model, "-i", source, *token).out
    assert (out / "a.en").read_text(encoding="utf-8") == expected
    pairs_path = tmp_path / "a.tsv"
    pairs_path.write_text(f"{LINES[0]}\tle chien\n", encoding="utf-8")
    links = tmp_path / "links"
    assert attn("batch", "--align", "-m", model, pairs_path, "-o", links).status == 0
    expected = attn("align", "-m", model, "-i", pairs_path).out
    assert (links / "a.tsv").read_text(encoding="utf-8") == expected


def test_confidence_is_calibrated_on_pairs(model, pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTN_HOME", str(tmp_path))
    assert attn("models", "add", model, "--name", "calibrated").status == 0
    ended = attn("models", "calibrate", "calibrated", "--pairs", pairs)
    assert ended.status == 0, ended.err
    (record,) = attn("translate", "-m", "calibrated", "-f", "jsonl", LINES[0]).records()
    assert 0 <= record["confidence"] <= 1


def test_literals_are_translated_and_not_copied_as_the_model_card_states(model):
    bundle = open_bundle(model)
    assert bundle.source.find_literals(LINES[2]) == []
    assert len(bundle.source.encode_parts(LINES[2])) == 1
    card = attn("models", "show", model).out
    assert card.startswith("---\nlanguage:")
    assert "# A model of random weights" in card
    assert "are translated like other words, not copied" in card
    assert "Target languages (`--target-token`): deu, fra." in card
    with pytest.raises(UsageError, match="placeholders"):
        from_dict({"tokenizer": {"literals": True, "pretokenization": "none"}}, where="test")


def test_records_have_diagnostics_and_unsure_words_are_marked(model):
    options = ("-f", "jsonl", "--diagnostics")
    (record,) = attn("translate", "-m", model, *options, LINES[0]).records()
    assert record["diagnostics"]
    ended = attn("translate", "-m", model, "--mark-unsure", LINES[0])
    assert "\u27e6" in ended.out


def test_fine_tuning_keeps_the_vocabulary_and_takes_a_target_token(model, pairs, tmp_path):
    out = tmp_path / "tuned"
    options = ("--out", out, "--max-steps", "4", "--target-token", "deu", "--threads", "1")
    settings = ("--set", "train.batch_tokens=200", "--set", "train.export=none")
    ended = attn("train", "--from", model, "--pairs", pairs, *options, *settings)
    assert ended.status == 0, ended.err
    tuned_model = open_bundle(out)
    assert tuned_model.recipe.tokenizer.target_token == ">>deu<<"
    assert tuned_model.source.encode("the dog").ids[0] == tuned_model.source.prefix_ids[0]
    assert tuned_model.target.piece(7) == open_bundle(model).target.piece(7)
    assert attn("translate", "-m", out, LINES[0]).status == 0
    losses = losses_of(out, "progress", "validation_finished")
    assert len(losses)
    assert (losses < 20).all()


def test_the_vocabulary_of_an_imported_model_cannot_be_learned_from_a_text(model, pairs, tmp_path):
    ended = attn("train", model / "recipe.toml", "--pairs", pairs, "--out", tmp_path / "again")
    assert (ended.status, "can be imported, but not learned" in ended.err) == (2, True)
