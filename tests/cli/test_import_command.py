"""attn models import and tune, and all commands on what was imported."""

import pytest
from marian_models import write_folder
from program import LINKS, PAIRS, attn

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")  # transformers' own


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def model(home):
    folder = write_folder(home / "opus", spread=1.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", str(home))
        ended = attn("models", "import", str(folder), "--name", "imported", "--precision", "int8")
    assert ended.status == 0, ended.err
    assert "attention of 4 heads each in 2 layers, graphs in int8" in ended.err
    return home / "models" / "imported"


@pytest.fixture(autouse=True)
def registered(home, monkeypatch):
    monkeypatch.setenv("ATTN_HOME", str(home))


def test_it_is_listed_and_sound_and_has_its_card(model):
    assert "cc-by-4.0" in attn("models", "list").out
    assert attn("models", "verify", "imported").status == 0
    assert "A model of random weights" in attn("models", "show", "imported").out


@pytest.mark.parametrize(
    "options",
    [
        ("--beam", "4", "--n-best", "2"),
        ("--align",),
        ("-f", "jsonl", "--engine", "torch"),
        ("-f", "pharaoh", "--level", "word"),
        ("-f", "jsonl", "--level", "piece"),
    ],
    ids=lambda options: " ".join(options),
)
def test_lines_are_translated(model, options):
    lines = b"the dog doesn't see my cat's house.\n\n>>fra<< 42 % of http://a.example/x\n"
    ended = attn("translate", "-m", "imported", *options, stdin=lines)
    assert ended.status == 0, ended.err
    assert ended.out


def test_a_record_has_a_weight_for_every_two_words_and_rows_sum_to_one(model):
    ended = attn("translate", "-m", "imported", "-f", "jsonl", "the dog doesn't see it.")
    (record,) = ended.records()
    assert record["source_words"] == ["the", "dog", "does", "n't", "see", "it", "."]
    for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
        assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)


def test_a_given_target_is_aligned_by_the_head_that_is_named(model):
    pair = ("the dog doesn't see.", "собака не видит.")
    tables = []
    for layer, head in (("1", "1"), ("2", "3")):
        how = ("-f", "jsonl", "--layer", layer, "--head", head)
        ended = attn("align", "-m", "imported", *how, *pair)
        assert ended.status == 0, ended.err
        tables.append(ended.records()[0]["weights"])
    assert tables[0] != tables[1]
    ended = attn("align", "-m", "imported", "--layer", "3", *pair)
    assert (ended.status, "no layer 3" in ended.err) == (2, True)


def test_tokenized_text_is_aligned_by_its_own_words(model):
    pair = ("the dog does n't see .", "собака не видит .")
    ended = attn("align", "-m", "imported", "--tokenized", "-f", "jsonl", *pair)
    (record,) = ended.records()
    assert record["source_words"] == pair[0].split()
    assert record["target_words"] == pair[1].split()


def test_tune_shows_the_head_that_agrees_with_links(model, tmp_path):
    pairs, links = tmp_path / "a.tsv", tmp_path / "a.links"
    pairs.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS.items()), encoding="utf-8")
    links.write_text("".join(f"{line}\n" for line in LINKS), encoding="utf-8")
    ended = attn("models", "tune", "imported", "--pairs", str(pairs), "--links", str(links))
    assert ended.status == 0, ended.err
    assert "attention shown: layer" in ended.err
    recipe = (model / "recipe.toml").read_text(encoding="utf-8")
    assert "\nattention_layer = " in recipe
    assert attn("models", "verify", "imported").status == 0


def test_tune_needs_pairs_and_several_heads(model):
    assert attn("models", "tune", "imported").status == 2
    ended = attn("models", "tune", "en-fr", "--pairs", "a.tsv")
    assert (ended.status, "no attention heads to choose from" in ended.err) == (4, True)


def test_a_target_token_at_import_begins_every_line(home):
    folder = write_folder(home / "several")
    how = ("--name", "several", "--target-token", ">>deu<<", "--target", "de")
    assert attn("models", "import", str(folder), *how).status == 0
    ended = attn("translate", "-m", "several", "-f", "jsonl", "--level", "piece", "the dog")
    other = attn("translate", "-m", "several", "-f", "jsonl", "--level", "piece", ">>fra<< the dog")
    assert ended.records()[0]["score"] != other.records()[0]["score"]
    ended = attn("models", "import", str(folder), "--name", "x", "--target-token", ">>ita<<")
    assert (ended.status, ">>deu<<, >>fra<<" in ended.err) == (4, True)


def test_a_folder_of_another_kind_is_an_error_with_status_4_and_leaves_nothing(home, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    ended = attn("models", "import", str(tmp_path), "--name", "other")
    assert (ended.status, "'t5', not a Marian model" in ended.err) == (4, True)
    assert not (home / "models" / "other").exists()
    assert attn("models", "import", str(tmp_path / "nowhere")).status == 4


def test_a_word_aligner_is_trained_on_top_and_the_network_stays(model, tmp_path):
    pairs, links = tmp_path / "a.tsv", tmp_path / "a.links"
    pairs.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS.items()), encoding="utf-8")
    links.write_text("".join(f"{line}\n" for line in LINKS), encoding="utf-8")
    tiny = (f"train.guided_alignment={links}", "train.aligner_steps=60", *(
        f"model.word_aligner.{key}" for key in ("embedding=32", "width=24", "channels=2")
    ))  # fmt: skip
    settings = [part for each in tiny for part in ("--set", each)]
    out = tmp_path / "aligned"
    how = ("--aligner-only", "--from", "imported", "--pairs", str(pairs), "--out", str(out))
    ended = attn("train", *how, *settings, "--threads", "1")
    assert ended.status == 0, ended.err
    assert (out / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    ended = attn("align", "-m", str(out), "-f", "jsonl", "I see a dog.", "je vois un chien.")
    record = ended.records()[0]
    links = {(s, t) for s, t, *_ in record["links"]}
    assert len(links & {(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)}) >= 3
    assert attn("models", "verify", str(out)).status == 0
    how = ("--weights", "alignment", "-f", "jsonl")
    assert attn("translate", "-m", str(out), *how, "I see a dog.").status == 0


def test_aligner_only_needs_a_model(model):
    ended = attn("train", "--aligner-only", "--pairs", "a.tsv")
    assert (ended.status, "--aligner-only needs --from" in ended.err) == (2, True)


def test_the_eight_steps_and_a_page_are_shown(model, tmp_path):
    ended = attn("explain", "-m", "imported", "the dog doesn't see.")
    assert ended.status == 0, ended.err
    assert "does" in ended.out
    page = tmp_path / "page.html"
    assert attn("translate", "-m", "imported", "-o", str(page), "the dog doesn't see.").status == 0
    assert "n't" in page.read_text(encoding="utf-8")
