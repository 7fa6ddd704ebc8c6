"""attn score: translations against references and links against gold, to the letter."""

import json

import pytest
import sacrebleu
from program import attn
from sacrebleu.metrics import BLEU, CHRF, TER

REFERENCE = ["je vois le chat.", "tu aimes un chien.", "Anna vend deux livres."]
HYPOTHESIS = ["je vois le chat.", "tu aime un chien.", "Anna vend livres deux."]


@pytest.fixture
def files(tmp_path):
    def write(name, lines):
        path = tmp_path / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    return write


def test_text_is_scored_a_line_a_metric_with_its_signature(files):
    ended = attn("score", "--reference", files("ref", REFERENCE), stdin="\n".join(HYPOTHESIS))
    expected = {
        "BLEU": sacrebleu.corpus_bleu(HYPOTHESIS, [REFERENCE]).score,
        "chrF2": sacrebleu.corpus_chrf(HYPOTHESIS, [REFERENCE]).score,
        "TER": sacrebleu.corpus_ter(HYPOTHESIS, [REFERENCE]).score,
    }
    assert (ended.status, ended.err) == (0, "")
    for line, (name, score) in zip(ended.lines(), expected.items(), strict=True):
        assert line.startswith(f"{name} {score:.1f} (nrefs:1|")
        assert line.endswith(f"|version:{sacrebleu.__version__})")


def test_text_scores_are_one_json_object_for_machines(files):
    reference = files("ref", REFERENCE)
    ended = attn("score", "-r", reference, "--format", "json", stdin="\n".join(HYPOTHESIS))
    (record,) = ended.records()
    assert list(record) == ["bleu", "chrf", "ter"]
    assert all(list(each) == ["score", "signature"] for each in record.values())
    bleu = sacrebleu.corpus_bleu(HYPOTHESIS, [REFERENCE]).score
    assert record["bleu"]["score"] == pytest.approx(bleu, abs=0.005)


def test_translations_may_be_a_file_and_references_several(files):
    paths = [files("hyp", HYPOTHESIS), "-r", files("a", REFERENCE), "-r", files("b", HYPOTHESIS)]
    (record,) = attn("score", *paths, "-f", "json").records()
    assert record["bleu"]["score"] == pytest.approx(100)
    assert "nrefs:2" in record["bleu"]["signature"]


def test_a_blank_line_of_a_second_reference_is_no_reference(files):
    second = ["je vois un chat.", "", " \t"]
    paths = ["-r", files("a", REFERENCE), "-r", files("b", second), "-r", files("c", second)]
    (record,) = attn("score", *paths, "-f", "json", stdin="\n".join(HYPOTHESIS)).records()
    none = [second[0], None, None]
    for key, metric in {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}.items():
        expected = metric.corpus_score(HYPOTHESIS, [REFERENCE, none, none]).score
        assert record[key]["score"] == pytest.approx(expected, abs=0.005)
        assert record[key]["signature"] == str(metric.get_signature())


def test_a_blank_line_of_the_first_reference_is_an_empty_one(files):
    first = [*REFERENCE[:2], ""]
    ended = attn("score", "-r", files("a", first), "-f", "json", stdin="\n".join(HYPOTHESIS))
    ter = sacrebleu.corpus_ter(HYPOTHESIS, [first]).score
    assert ended.records()[0]["ter"]["score"] == pytest.approx(ter, abs=0.005)


def test_a_line_that_is_not_utf8_is_reported_with_its_file_and_number(files):
    ended = attn("score", "-r", files("ref", REFERENCE), stdin=b"a\n\xff\nb\n")
    assert ended.status == 0
    assert "line 2" in ended.err


def test_other_counts_than_the_reference_are_refused_with_both(files):
    ended = attn("score", "-r", files("ref", REFERENCE), stdin="a\n" * 5)
    assert (ended.status, ended.stdout) == (3, b"")
    assert "5 translations" in ended.err
    assert "3 lines" in ended.err


# Links. |A| = 4, |S| = 3, |P| = 4, |A ∩ S| = 2, |A ∩ P| = 3: AER = 1 - 5/7, P = 3/4, R = 2/3.

GOLD = ["0-0 1p1 1-2", "", "0-0"]
LINKS = ["0-0 1-1 2-2", "", "0-0:0.9"]
LINE = "AER 28.6 (P 75.0 R 66.7, 3 pairs, 3 sure, 1 possible, base gold {gold} links {links})"


def shifted(lines):
    return [
        " ".join(
            "".join(str(int(c) + 1) if c.isdigit() else c for c in link.split(":")[0])
            for link in line.split()
        )
        for line in lines
    ]


def test_aer_is_the_formula_of_och_and_ney_in_the_line_of_the_contract(files):
    ended = attn("score", "--gold", files("gold", GOLD), "--links", files("links", LINKS))
    assert ended.lines() == [LINE.format(gold=0, links=0)]
    assert "from 0 in gold, from 0 in links" in ended.err


def test_aer_is_one_json_object_for_machines(files):
    (record,) = attn(
        "score", "--gold", files("gold", GOLD), "-f", "json", stdin="\n".join(LINKS)
    ).records()
    assert record == {
        "aer": {
            "score": 28.57,
            "precision": 75.0,
            "recall": 66.67,
            "f1": 70.59,
            "pairs": 3,
            "signature": "3 pairs, 3 sure, 1 possible, base gold 0 links 0",
        }
    }


@pytest.mark.parametrize(("gold_base", "links_base"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_each_side_may_count_from_its_own_base(files, gold_base, links_base):
    gold = files("gold", shifted(GOLD) if gold_base else GOLD)
    links = files("links", shifted(LINKS) if links_base else LINKS)
    bases = ("--index-base", gold_base, "--index-base", links_base)
    ended = attn("score", "--gold", gold, "--links", links, *bases)
    assert ended.lines() == [LINE.format(gold=gold_base, links=links_base)]
    assert ended.err == ""


def test_one_base_is_of_both_sides(files):
    gold, links = files("gold", shifted(GOLD)), files("links", shifted(LINKS))
    ended = attn("score", "--gold", gold, "--links", links, "--index-base", "1")
    assert ended.lines() == [LINE.format(gold=1, links=1)]


def test_auto_finds_base_one_where_a_file_never_says_zero(files):
    gold = files("gold", ["1-1 2-2 3p3"] * 12)
    links = files("links", ["0-0 1-1"] * 12)
    ended = attn("score", "--gold", gold, "--links", links)
    assert "base gold 1 links 0)" in ended.out
    assert "AER 0.0" in ended.out


def test_auto_refuses_to_guess_and_says_how_to_tell_it(files):
    ended = attn("score", "--gold", files("gold", ["1-1"]), "--links", files("links", ["0-0"]))
    assert (ended.status, ended.stdout) == (3, b"")
    assert "--index-base" in ended.err


def test_base_one_cannot_hold_a_zero(files):
    gold = files("gold", GOLD)
    assert attn("score", "--gold", gold, "--index-base", "1", stdin="0-0\n\n\n").status == 3


def test_links_of_another_length_than_the_gold_are_refused_with_both_counts(files):
    ended = attn("score", "--gold", files("gold", GOLD), stdin="0-0\n")
    assert ended.status == 3
    assert "3 lines" in ended.err
    assert "1" in ended.err


@pytest.mark.parametrize("link", ["0-", "a-b", "-1-0", "0-0:x", "0:0", "0p0"])
def test_what_is_no_link_is_refused_with_its_line(files, link):
    ended = attn("score", "--gold", files("gold", GOLD), stdin=f"0-0\n{link}\n\n")
    assert ended.status == 3
    assert "line 2" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--gold", "g", "--reference", "r"],
        ["--gold", "g", "--index-base", "2"],
        ["--gold", "g", *["--index-base", "0"] * 3],
        ["--gold", "g", "links", "--links", "links"],
        ["--reference", "r", "--links", "links"],
        ["--reference", "r", "--format", "xml"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments):
    ended = attn("score", *arguments)
    assert (ended.status, ended.stdout) == (2, b"")


def test_json_is_ascii_safe_and_one_line(files):
    ended = attn("score", "-r", files("ref", REFERENCE), "-f", "json", stdin="\n".join(REFERENCE))
    assert len(ended.lines()) == 1
    assert json.loads(ended.out)["ter"]["score"] == 0
