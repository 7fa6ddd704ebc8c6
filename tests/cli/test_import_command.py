"""attn models import and tune, and all commands with an imported model."""

import pytest
from marian_models import write_folder
from program import LINKS, PAIRS, attn

import attn_cli
from attn_cli.bundles.bundle import open_bundle
from attn_cli.data.batching import sequential_batches
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import segment_corpus
from attn_cli.types import EOS

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")  # warnings of transformers itself


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


def write_pairs(folder):
    """Write the pairs of `program` and their links into files; return the two paths."""
    pairs, links = folder / "a.tsv", folder / "a.links"
    pairs.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS.items()), encoding="utf-8")
    links.write_text("".join(f"{line}\n" for line in LINKS), encoding="utf-8")
    return pairs, links


@pytest.fixture(autouse=True)
def _registry(home, monkeypatch):
    monkeypatch.setenv("ATTN_HOME", str(home))


def test_an_imported_model_is_listed_and_valid_and_has_a_model_card(model):
    assert "cc-by-4.0" in attn("models", "list").out
    assert attn("models", "verify", "imported").status == 0
    assert "A model of random weights" in attn("models", "show", "imported").out


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_each_format_has_the_same_translation_of_each_line(model, engine):
    lines = b"the dog doesn't see my cat's house.\n\n>>fra<< 42 % of http://a.example/x\n"

    def translate(*options):
        options = ("--engine", engine, "--beam", "4", *options)
        return attn("translate", "-m", "imported", *options, stdin=lines)

    texts = translate().lines()
    assert [bool(text) for text in texts] == [True, False, True]
    for level in ("word", "piece"):
        records = translate("-f", "jsonl", "--level", level).records()
        assert [record["target"] for record in records] == texts
    assert [line.split(" ||| ")[0] for line in translate("-f", "pharaoh").lines()] == texts
    n_best = [line.split(" ||| ")[:2] for line in translate("--n-best", "2").lines()]
    assert [number for number, _ in n_best] == ["1", "1", "2", "3", "3"]
    assert [n_best[row][1] for row in (0, 2, 3)] == texts


def test_a_record_has_whole_words_and_its_rows_of_weights_sum_to_1(model):
    ended = attn("translate", "-m", "imported", "-f", "jsonl", "the dog doesn't see it.")
    (record,) = ended.records()
    assert record["source_words"] == ["the", "dog", "does", "n't", "see", "it", "."]
    for row, unaligned in zip(record["weights"], record["unaligned"], strict=True):
        assert sum(row) + unaligned == pytest.approx(1, abs=1e-3)


def test_a_given_target_is_aligned_by_the_selected_head(model):
    pair = ("the dog doesn't see.", "собака не видит.")
    tables = []
    for layer, head in (("1", "1"), ("2", "3")):
        options = ("-f", "jsonl", "--layer", layer, "--head", head)
        ended = attn("align", "-m", "imported", *options, *pair)
        assert ended.status == 0, ended.err
        tables.append(ended.records()[0]["weights"])
    assert tables[0] != tables[1]
    ended = attn("align", "-m", "imported", "--layer", "3", *pair)
    assert (ended.status, "no layer 3" in ended.err) == (2, True)


def test_the_words_of_tokenized_text_are_its_tokens(model):
    pair = ("the dog does n't see .", "собака не видит .")
    ended = attn("align", "-m", "imported", "--tokenized", "-f", "jsonl", *pair)
    (record,) = ended.records()
    assert record["source_words"] == pair[0].split()
    assert record["target_words"] == pair[1].split()


def test_tune_selects_the_head_that_agrees_with_the_links(model, tmp_path):
    pairs, links = write_pairs(tmp_path)
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


@pytest.fixture(scope="module")
def multilingual_model(home, model):
    """A model of two target languages; its default is German."""
    args = ("--name", "several", "--target-token", "deu", "--target", "de", "--precision", "fp32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", str(home))
        ended = attn("models", "import", str(home / "opus"), *args)
    assert ended.status == 0, ended.err
    return home / "models" / "several"


@pytest.mark.parametrize("token", ["fra", ">>fra<<"])
@pytest.mark.parametrize(
    "command",
    [("translate", "-f", "jsonl"), ("translate", "-f", "jsonl", "--engine", "torch")],
    ids=" ".join,
)
def test_the_option_target_token_equals_a_token_at_the_start_of_the_line(
    multilingual_model, command, token
):
    with_option = attn(*command, "-m", "several", "--target-token", token, "the dog").records()[0]
    with_prefix = attn(*command, "-m", "several", ">>fra<< the dog").records()[0]
    default = attn(*command, "-m", "several", "the dog").records()[0]
    for key in ("target", "score", "weights"):
        assert with_option[key] == with_prefix[key]
    assert with_option["score"] != default["score"]


def test_every_command_that_reads_sources_takes_a_target_token(multilingual_model, tmp_path):
    pair = ("the dog sees.", "le chien voit.")

    def explain_weights(*options):
        steps = attn("explain", "-m", "several", "-f", "jsonl", *options).records()
        return [each["weights"] for each in steps if each["step"] == 5]

    def align_weights(*options):
        return attn("align", "-m", "several", "-f", "jsonl", *options).records()[0]["weights"]

    token = ("--target-token", "fra")
    assert explain_weights(pair[0], *token) == explain_weights(f">>fra<< {pair[0]}")
    assert (
        align_weights(*pair, *token)
        == align_weights(f">>fra<< {pair[0]}", pair[1])
        != align_weights(*pair)
    )
    encoder = ("--show", "encoder")
    assert align_weights(*pair, *encoder, *token) != align_weights(*pair, *encoder)
    loaded = attn_cli.load("several", target_token="fra")
    assert loaded.align(*pair).to_dict()["weights"] == align_weights(*pair, *token)


def test_tune_compares_heads_on_sources_with_the_target_token(multilingual_model, tmp_path):
    pairs, links = write_pairs(tmp_path)
    source = open_bundle(multilingual_model).source.with_target_token("fra")
    corpus, _ = read_pairs(pairs)
    text = segment_corpus(corpus, source, source, source_prefix=source.prefix_ids)
    batch = next(sequential_batches(text, text.pairs, tokens=1000))
    forms = [corpus.source.forms[form] for form in corpus.source.sentences[batch.indices[0]]]
    words = [source.segment(form) for form in forms]
    length = 1 + sum(map(len, words)) + 1
    assert batch.source_length[0] == length
    assert batch.source[0, :length].tolist() == [*source.prefix_ids, *sum(words, ()), EOS]
    word_ids = [number for number, ids in enumerate(words) for _ in ids]
    assert batch.source_word_ids[0, :length].tolist() == [-1, *word_ids, -1]
    options = ("--pairs", str(pairs), "--links", str(links), "--target-token", "fra")
    assert attn("models", "tune", "several", *options).status == 0
    assert open_bundle(multilingual_model).recipe.tokenizer.target_token == ">>deu<<"


@pytest.mark.parametrize(
    "command",
    [
        ("translate", "-m", "several", "a dog"),
        ("align", "-m", "several", "a dog", "un chien"),
        ("align", "-m", "several", "a dog", "un chien", "--show", "decoder", "-f", "table"),
        ("explain", "-m", "several", "a dog"),
        ("models", "tune", "several", "--pairs", "a.tsv"),
        ("models", "calibrate", "several", "--pairs", "a.tsv"),
        ("models", "import", "opus", "--name", "x"),
        ("train", "--aligner-only", "--from", "several", "--pairs", "a.tsv"),
        ("train", "--from", "several", "--pairs", "a.tsv"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_error_for_an_unknown_target_token_lists_the_known_tokens(
    multilingual_model, home, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path)
    (tmp_path / "opus").symlink_to(home / "opus")
    ended = attn(*command, "--target-token", "ita")
    assert (ended.status, ended.out) == (2, "")
    assert "no token ita" in ended.err
    assert ">>deu<<, >>fra<<" in ended.err


def test_a_model_of_one_target_language_has_no_target_token():
    ended = attn("translate", "-m", "en-fr", "--target-token", "fra", "a dog")
    assert (ended.status, "one target language" in ended.err) == (2, True)
    ended = attn("train", "--pairs", "a.tsv", "--target-token", "fra")
    assert (ended.status, "Name the model: --from" in ended.err) == (2, True)
    ended = attn("align", "--fit", "--target-token", "fra", stdin=b"a\tb\n")
    assert (ended.status, "excludes --target-token" in ended.err) == (2, True)


def test_a_folder_of_another_model_type_exits_with_status_4_and_adds_no_model(home, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")
    ended = attn("models", "import", str(tmp_path), "--name", "other")
    assert (ended.status, "'t5', not a Marian model" in ended.err) == (4, True)
    assert not (home / "models" / "other").exists()
    assert attn("models", "import", str(tmp_path / "nowhere")).status == 4


def test_training_of_a_word_aligner_does_not_change_the_imported_network(model, tmp_path):
    pairs, links = write_pairs(tmp_path)
    values = (f"train.guided_alignment={links}", "train.aligner_steps=60", *(
        f"model.word_aligner.{key}" for key in ("embedding=32", "width=24", "channels=2")
    ))  # fmt: skip
    settings = [part for each in values for part in ("--set", each)]
    out = tmp_path / "aligned"
    options = ("--aligner-only", "--from", "imported", "--pairs", str(pairs), "--out", str(out))
    ended = attn("train", *options, *settings, "--threads", "1")
    assert ended.status == 0, ended.err
    assert (out / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    ended = attn("align", "-m", str(out), "-f", "jsonl", "I see a dog.", "je vois un chien.")
    record = ended.records()[0]
    links = {(s, t) for s, t, *_ in record["links"]}
    assert len(links & {(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)}) >= 3
    assert attn("models", "verify", str(out)).status == 0
    options = ("--weights", "alignment", "-f", "jsonl")
    assert attn("translate", "-m", str(out), *options, "I see a dog.").status == 0


def test_aligner_only_needs_a_model(model):
    ended = attn("train", "--aligner-only", "--pairs", "a.tsv")
    assert (ended.status, "--aligner-only needs --from" in ended.err) == (2, True)


def test_explain_and_a_page_work_with_an_imported_model(model, tmp_path):
    ended = attn("explain", "-m", "imported", "the dog doesn't see.")
    assert ended.status == 0, ended.err
    assert "does" in ended.out
    page = tmp_path / "page.html"
    assert attn("translate", "-m", "imported", "-o", str(page), "the dog doesn't see.").status == 0
    assert "n't" in page.read_text(encoding="utf-8")
