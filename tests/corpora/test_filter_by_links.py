"""Pairs with few linked words are left out; words that are linked often are added."""

import pytest
from scripts import DATA, import_scripts

from attn_cli import config
from attn_cli.alignment.pharaoh import parse_links
from attn_cli.data.literals import LiteralRules


@pytest.fixture(scope="module")
def script():
    with import_scripts("general", "filter_by_links") as (module,):
        yield module


@pytest.mark.parametrize(
    ("english", "french", "links", "share"),
    [
        (
            "the cat sleeps here today",
            "le chat y dort ce jour",
            "0-0:1 1-1:0.9 2-3:0.7",
            (3 / 5 + 3 / 6) / 2,
        ),
        (
            "the cat sleeps here today",
            "le chat y dort ce jour",
            "0-0:1 1-1:0.6 2-3:0.3",
            (1 / 5 + 1 / 6) / 2,
        ),
        (
            "the cat sleeps here today.",
            "le chat y dort ce jour.",
            "5-6:1",
            0.0,
        ),  # marks are not words
        ("the cat sleeps here today", "le chat dort", "0-0 1-1 2-2", 3 / 5),  # one side is short
        ("Get up!", "Lève-toi !", "", 1.0),  # too short to judge
    ],
)
def test_the_share_of_words_with_a_sure_link(script, english, french, links, share):
    assert script.share_linked(english, french, parse_links(links, where="here")) == pytest.approx(
        share
    )


def test_the_texts_of_both_directions_contain_kept_pairs_and_linked_words(script, tmp_path, capsys):
    good = "the cat sleeps here today\tle chat dort ici aujourd'hui\tbook\n"
    bad = "the dog eats it all\tnous irons demain\tbook\n"
    everyday = "Don't mention it at all.\tIl n'y a vraiment pas de quoi.\teveryday\n"
    (tmp_path / "train.tsv").write_text(good * 20 + bad + everyday, encoding="utf-8")
    (tmp_path / "train.links").write_text("0-0 1-1 2-2 3-3 4-4\n" * 20 + "\n\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("one\tun\tbook\n", encoding="utf-8")
    script.main([str(tmp_path)])
    assert "21 of 22 pairs have linked words" in capsys.readouterr().out
    lines = (tmp_path / "en-fr.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[:20] == ["the cat sleeps here today\tle chat dort ici aujourd'hui"] * 20
    assert lines[21:24] == ["cat\tchat", "Cat.\tChat.", "Cat!\tChat !"]
    reversed_pairs = (tmp_path / "fr-en.tsv").read_text(encoding="utf-8").splitlines()
    assert reversed_pairs[0] == "le chat dort ici aujourd'hui\tthe cat sleeps here today"
    assert "chat\tcat" in reversed_pairs[21:]
    assert (tmp_path / "fr-en.valid.tsv").read_text(encoding="utf-8") == "un\tone\n"


def test_a_source_is_repeated_in_the_text_of_another_folder(script, tmp_path):
    rows = "a cat\tun chat\ttatoeba-2019\na dog\tun chien\tbook\nHi\tSalut\teveryday\n"
    (tmp_path / "train.tsv").write_text(rows, encoding="utf-8")
    (tmp_path / "train.links").write_text("0-0:1 1-1:1\n0-0:1\n0-0:1\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("", encoding="utf-8")
    out = tmp_path / "everyday"
    script.main([
        str(tmp_path), "--repeat", "tatoeba=3", "--repeat", "everyday=2", "--out", str(out),
    ])  # fmt: skip
    text = (out / "fr-en.tsv").read_text(encoding="utf-8").splitlines()
    assert text == ["un chat\ta cat"] * 3 + ["un chien\ta dog"] + ["Salut\tHi"] * 2
    links = (out / "fr-en.links").read_text(encoding="utf-8").splitlines()
    assert links == ["0-0:1 1-1:1"] * 3 + ["0-0:1"] * 3
    assert not (tmp_path / "fr-en.tsv").exists()


def test_the_sources_of_a_models_direction_are_in_true_case(script, tmp_path):
    rows = "Cheese smells.\tLe fromage sent.\tbook\n"
    (tmp_path / "train.tsv").write_text(rows, encoding="utf-8")
    (tmp_path / "train.links").write_text("0-1 1-2 2-3\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("Cheese\tLe fromage\tbook\n", encoding="utf-8")
    script.main([str(tmp_path), "--truecase", str(DATA.parent / "models" / "en-fr")])
    written = {
        name: (tmp_path / f"{name}.tsv").read_text(encoding="utf-8")
        for name in ("en-fr", "fr-en", "en-fr.valid")
    }
    assert written == {
        "en-fr": "cheese smells.\tLe fromage sent.\n",
        "fr-en": "Le fromage sent.\tCheese smells.\n",
        "en-fr.valid": "Cheese\tLe fromage\n",
    }


@pytest.mark.parametrize("times", ["tatoeba", "tatoeba=0", "=3", "tatoeba=-1"])
def test_an_invalid_number_of_repetitions_is_refused(script, tmp_path, capsys, times):
    with pytest.raises(SystemExit, match="2"):
        script.main([str(tmp_path), "--repeat", times])
    assert "is not SOURCE=TIMES, such as tatoeba=4" in capsys.readouterr().err


def test_links_are_computed_if_the_folder_has_none(script, tmp_path):
    words = [("cat", "chat"), ("dog", "chien"), ("bird", "oiseau"), ("horse", "cheval")]
    text = "".join(
        f"the {a} sees the {b} today\tle {c} voit le {d} ici\tbook\n"
        for a, c in words for b, d in words
    )  # fmt: skip
    (tmp_path / "train.tsv").write_text(text, encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("", encoding="utf-8")
    script.main([str(tmp_path)])
    links = (tmp_path / "train.links").read_text(encoding="utf-8").splitlines()
    assert len(links) == 16
    assert all({"1-1", "2-2", "4-4"} <= {x.split(":")[0] for x in line.split()} for line in links)
    (tmp_path / "train.links").write_text("0-0\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="has other pairs than"):
        script.main([str(tmp_path)])


@pytest.mark.parametrize("text", ["general", "tatoeba"])
def test_a_recipe_begins_with_the_command_that_trains_it(text):
    path = DATA / text / "recipe.toml"
    command = path.read_text(encoding="utf-8").splitlines()[0].split()
    assert command[1:4:2] == ["sh", "en-fr"]
    assert (path.parents[2] / command[2]).is_file()
    assert config.load(path).name == "en-fr"


def test_the_recipe_names_the_text_that_is_written():
    recipe = config.load(DATA / "general" / "recipe.toml")
    assert (recipe.data.pairs, recipe.data.valid_pairs) == (
        "text/en-fr.tsv",
        "text/en-fr.valid.tsv",
    )
    assert recipe.tokenizer.normalize_quotes
    assert recipe.data.augmentation.lowercase > 0


def test_links_of_the_parts_of_a_literal_become_links_of_the_literal(script) -> None:
    source, target = "It costs $12.50 now", "Cela coûte 12,50 $ maintenant"
    plain = "0-0:1 1-1:1 2-3:0.5 3-2:0.8 4-4:0.9"  # $-$ and 12.50-12,50 are two words a side
    literals = LiteralRules("en", "fr")
    links = script.merge_literals(source, target, plain, literals)
    assert links == "0-0:1 1-1:1 2-2:0.8 3-3:0.9"
    assert script.merge_literals("a cat", "un chat", "0-0:1 1-1:1", literals) == ("0-0:1 1-1:1")
