"""attn score: translations against references, and links against gold."""

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


def test_text_scores_are_one_line_for_each_metric_with_its_signature(files):
    result = attn("score", "--reference", files("ref", REFERENCE), stdin="\n".join(HYPOTHESIS))
    expected = {
        "BLEU": sacrebleu.corpus_bleu(HYPOTHESIS, [REFERENCE]).score,
        "chrF2": sacrebleu.corpus_chrf(HYPOTHESIS, [REFERENCE]).score,
        "TER": sacrebleu.corpus_ter(HYPOTHESIS, [REFERENCE]).score,
    }
    assert (result.status, result.err) == (0, "")
    for line, (name, score) in zip(result.lines(), expected.items(), strict=True):
        assert line.startswith(f"{name} {score:.1f} (nrefs:1|")
        assert line.endswith(f"|version:{sacrebleu.__version__})")


def test_text_scores_are_one_json_object_for_machines(files):
    reference = files("ref", REFERENCE)
    result = attn("score", "-r", reference, "--format", "json", stdin="\n".join(HYPOTHESIS))
    (record,) = result.records()
    assert list(record) == ["bleu", "chrf", "ter"]
    assert all(list(each) == ["score", "signature"] for each in record.values())
    bleu = sacrebleu.corpus_bleu(HYPOTHESIS, [REFERENCE]).score
    assert record["bleu"]["score"] == pytest.approx(bleu, abs=0.005)


def test_translations_may_be_a_file_and_references_several_files(files):
    paths = [files("hyp", HYPOTHESIS), "-r", files("a", REFERENCE), "-r", files("b", HYPOTHESIS)]
    (record,) = attn("score", *paths, "-f", "json").records()
    scores = {name: each["score"] for name, each in record.items()}
    assert scores == pytest.approx({"bleu": 100, "chrf": 100, "ter": 0})
    assert "nrefs:2" in record["bleu"]["signature"]


def test_a_blank_line_of_a_second_reference_is_not_a_reference(files):
    second = ["je vois un chat.", "", " \t"]
    paths = ["-r", files("a", REFERENCE), "-r", files("b", second), "-r", files("c", second)]
    (record,) = attn("score", *paths, "-f", "json", stdin="\n".join(HYPOTHESIS)).records()
    optional_lines = [second[0], None, None]
    for key, metric in {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}.items():
        expected = metric.corpus_score(
            HYPOTHESIS, [REFERENCE, optional_lines, optional_lines]
        ).score
        assert record[key]["score"] == pytest.approx(expected, abs=0.005)
        assert record[key]["signature"] == str(metric.get_signature())


def test_a_blank_line_of_the_first_reference_is_an_empty_one(files):
    first = [*REFERENCE[:2], ""]
    result = attn("score", "-r", files("a", first), "-f", "json", stdin="\n".join(HYPOTHESIS))
    ter = sacrebleu.corpus_ter(HYPOTHESIS, [first]).score
    assert result.records()[0]["ter"]["score"] == pytest.approx(ter, abs=0.005)


def test_a_line_that_is_not_utf8_is_reported_with_its_file_and_number(files):
    result = attn("score", "-r", files("ref", REFERENCE), stdin=b"a\n\xff\nb\n")
    assert result.status == 0
    assert "line 2" in result.err


def test_unequal_counts_of_translations_and_references_are_refused_with_both(files):
    result = attn("score", "-r", files("ref", REFERENCE), stdin="a\n" * 5)
    assert (result.status, result.stdout) == (3, b"")
    assert "5 translations" in result.err
    assert "3 lines" in result.err


# Links. |A| = 4, |S| = 3, |P| = 4, |A ∩ S| = 2, |A ∩ P| = 3: AER = 1 - 5/7, P = 3/4, R = 2/3.

GOLD = ["0-0 1p1 1-2", "", "0-0"]
LINKS = ["0-0 1-1 2-2", "", "0-0:0.9"]
LINE = "AER 28.6 (P 75.0 R 66.7, 3 pairs, 3 sure, 1 possible, base gold {gold} links {links})"


def count_from_one(lines):
    return [
        " ".join(
            "".join(str(int(c) + 1) if c.isdigit() else c for c in link.split(":")[0])
            for link in line.split()
        )
        for line in lines
    ]


def test_aer_is_the_formula_of_och_and_ney_in_the_documented_line(files):
    result = attn("score", "--gold", files("gold", GOLD), "--links", files("links", LINKS))
    assert result.lines() == [LINE.format(gold=0, links=0)]
    assert "from 0 in gold, from 0 in links" in result.err


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
def test_gold_and_links_may_have_different_index_bases(files, gold_base, links_base):
    gold = files("gold", count_from_one(GOLD) if gold_base else GOLD)
    links = files("links", count_from_one(LINKS) if links_base else LINKS)
    bases = ("--index-base", gold_base, "--index-base", links_base)
    result = attn("score", "--gold", gold, "--links", links, *bases)
    assert result.lines() == [LINE.format(gold=gold_base, links=links_base)]
    assert result.err == ""


def test_one_index_base_applies_to_both_files(files):
    gold, links = files("gold", count_from_one(GOLD)), files("links", count_from_one(LINKS))
    result = attn("score", "--gold", gold, "--links", links, "--index-base", "1")
    assert result.lines() == [LINE.format(gold=1, links=1)]


def test_a_file_without_index_zero_has_base_one(files):
    gold = files("gold", ["1-1 2-2 3p3"] * 12)
    links = files("links", ["0-0 1-1"] * 12)
    result = attn("score", "--gold", gold, "--links", links)
    assert "base gold 1 links 0)" in result.out
    assert "AER 0.0" in result.out


def test_an_uncertain_index_base_is_refused_with_the_option_that_sets_it(files):
    result = attn("score", "--gold", files("gold", ["1-1"]), "--links", files("links", ["0-0"]))
    assert (result.status, result.stdout) == (3, b"")
    assert "--index-base" in result.err


def test_index_zero_is_refused_with_base_one(files):
    gold = files("gold", GOLD)
    assert attn("score", "--gold", gold, "--index-base", "1", stdin="0-0\n\n\n").status == 3


def test_links_of_another_length_than_the_gold_are_refused_with_both_counts(files):
    gold, links = files("gold", GOLD), files("links", ["0-0"])
    result = attn("score", "--gold", gold, "--links", links)
    assert result.status == 3
    assert f"{gold} has 3 lines but {links} has 1. " in result.err


@pytest.mark.parametrize("link", ["0-", "a-b", "-1-0", "0-0:x", "0:0", "0p0"])
def test_an_invalid_link_is_refused_with_its_line(files, link):
    result = attn("score", "--gold", files("gold", GOLD), stdin=f"0-0\n{link}\n\n")
    assert result.status == 3
    assert "line 2" in result.err


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
def test_invalid_or_conflicting_arguments_are_usage_errors(arguments):
    result = attn("score", *arguments)
    assert (result.status, result.stdout) == (2, b"")
