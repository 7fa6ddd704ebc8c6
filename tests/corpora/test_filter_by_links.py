"""Pairs with few linked words are left out; words that are linked often are added."""

import pytest
from scripts import DATA, imported

from attn_cli import config
from attn_cli.alignment.pharaoh import parse_links
from attn_cli.data.literals import LiteralRules


@pytest.fixture(scope="module")
def script():
    with imported("general", "filter_by_links") as (found,):
        yield found


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
        ),  # marks are no words
        ("the cat sleeps here today", "le chat dort", "0-0 1-1 2-2", 3 / 5),  # one side is short
        ("Get up!", "Lève-toi !", "", 1.0),  # too short to say
    ],
)
def test_the_share_of_words_with_a_sure_link(script, english, french, links, share):
    assert script.share_linked(english, french, parse_links(links, where="here")) == pytest.approx(
        share
    )


def test_the_texts_of_both_directions_have_the_pairs_that_stay_and_words(script, tmp_path, capsys):
    good = "the cat sleeps here today\tle chat dort ici aujourd'hui\tbook\n"
    bad = "the dog eats it all\tnous irons demain\tbook\n"
    ours = "Don't mention it at all.\tIl n'y a vraiment pas de quoi.\teveryday\n"
    (tmp_path / "train.tsv").write_text(good * 20 + bad + ours, encoding="utf-8")
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


def test_the_aligners_are_asked_where_there_are_no_links(script, tmp_path):
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
    found = script.merge_literals(source, target, plain, literals)
    assert found == "0-0:1 1-1:1 2-2:0.8 3-3:0.9"
    assert script.merge_literals("a cat", "un chat", "0-0:1 1-1:1", literals) == ("0-0:1 1-1:1")
