"""Pairs whose words find no partners are left out; words that are linked often are added."""

import pytest
from scripts import DATA, imported

from attn_cli import config
from attn_cli.align.links import links_in


@pytest.fixture(scope="module")
def script():
    with imported("general", "filter_by_links") as (found,):
        yield found


@pytest.mark.parametrize(
    ("english", "french", "links", "share"),
    [
        ("the cat sleeps here", "le chat dort ici", "0-0:1 1-1:0.9 2-2:0.5 3-3:0.6", 1.0),
        ("the cat sleeps here", "le chat dort ici", "0-0:1 1-1:0.4 2-2:0.3", 0.25),
        ("the cat sleeps here.", "le chat dort ici.", "4-4:1", 0.0),  # marks are no words
        ("the cat sleeps here", "un deux trois quatre cinq six sept huit", "0-0 1-1 2-2 3-3", 0.5),
        ("Get up!", "Lève-toi !", "", 1.0),  # too short to say
    ],
)
def test_a_pair_is_as_good_as_its_worse_side(script, english, french, links, share):
    assert script.share_linked(english, french, links_in(links, where="here")) == share


def test_the_texts_of_both_directions_have_the_pairs_that_stay_and_words(script, tmp_path, capsys):
    good = "the cat sleeps here\tle chat dort ici\tbook\n"
    bad = "the dog eats it all\tnous irons demain\tbook\n"
    (tmp_path / "train.tsv").write_text(good * 20 + bad, encoding="utf-8")
    (tmp_path / "train.links").write_text("0-0 1-1 2-2 3-3\n" * 20 + "\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("one\tun\tbook\n", encoding="utf-8")
    script.main([str(tmp_path)])
    assert "20 of 21 pairs have partners" in capsys.readouterr().out
    lines = (tmp_path / "en-fr.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[:20] == ["the cat sleeps here\tle chat dort ici"] * 20
    assert lines[20:23] == ["cat\tchat", "Cat.\tChat.", "Cat!\tChat !"]
    turned = (tmp_path / "fr-en.tsv").read_text(encoding="utf-8").splitlines()
    assert turned[0] == "le chat dort ici\tthe cat sleeps here"
    assert "chat\tcat" in turned[20:]
    assert (tmp_path / "fr-en.valid.tsv").read_text(encoding="utf-8") == "un\tone\n"


def test_the_recipe_names_the_text_that_is_written():
    recipe = config.load(DATA / "general" / "recipe.toml")
    assert (recipe.data.pairs, recipe.data.valid_pairs) == (
        "text/en-fr.tsv",
        "text/en-fr.valid.tsv",
    )
    assert recipe.tokenizer.plain_quotes
    assert recipe.data.variants.small_letters > 0
