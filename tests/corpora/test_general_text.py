"""The general text: reading, cleaning, pairs left out and pairs held out."""

import gzip
import re
import zipfile

import pytest
from scripts import import_scripts


@pytest.fixture(scope="module")
def modules():
    with import_scripts("general", "prepare", "cleaning", "sources") as scripts:
        yield scripts


@pytest.fixture(scope="module")
def cleaning(modules):
    return modules[1]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (("It’s “fine”.", "C’est « bien »."), ("It's \"fine\".", 'C\'est "bien".')),
        (("Really?", "Vraiment?"), ("Really?", "Vraiment ?")),
        (("Note: see a; b", "Note: voir a; b"), ("Note: see a; b", "Note : voir a ; b")),
        (("At 10:30, see http://a.b/c?d=1", "À 10:30, voir http://a.b/c?d=1"), None),
        (("Smile :)", "Souriez :)"), None),
        (("Wait…  now", "Attends…\u00a0là"), ("Wait... now", "Attends... là")),
        (("ALEXAS. Be quick.", "ALEXAS. — Soyez vif."), ("Be quick.", "Soyez vif.")),
        (('"Leave me," he said.', "— Sortez, dit-il."), ("Leave me, he said.", "Sortez, dit-il.")),
        (('"Then we left.', "— Puis nous partîmes."), ("Then we left.", "Puis nous partîmes.")),
        (("He fell. \"Go!\"", "Il tomba. —Pars !"), ("He fell. Go!", "Il tomba. Pars !")),
        (('"No" — he said.', '"Non" — dit-il.'), None),
        (("— Good,", "— Bien ;"), None),
        (("12.5% of {name}: `x = 1`", "12,5 % de {name} : `x = 1`"), None),
        (("See <b>this</b><!-- ignore -- >", "Voir ceci"), ("See this", "Voir ceci")),
        (("See <b>this</b>", "Voir <b>ceci</b>"), None),
    ],
)  # fmt: skip
def test_cleaning_changes_only_punctuation_markup_and_speaker_names(cleaning, raw, clean):
    assert cleaning.clean(*raw) == (clean or raw)


def test_one_french_side_in_eight_keeps_its_guillemets(cleaning):
    sides = [cleaning.clean(f'"{n}"', f"« mot {n} »")[1] for n in range(1000)]
    n_guillemets = sum(side.startswith("« ") for side in sides)
    assert (
        n_guillemets + sum(re.fullmatch(r'"mot \d+"', side) is not None for side in sides) == 1000
    )
    assert 80 < n_guillemets < 170


@pytest.mark.parametrize(
    ("english", "french", "problem"),
    [
        ("I love you.", "Je t'aime.", ""),
        ("Paris", "Paris", ""),
        ("Tom is in the car.", "Tom est dans la voiture.", ""),
        ("He was born in 1985.", "Il est né en mille neuf cent quatre-vingt-cinq.", ""),
        ("1,250 people", "1 250 personnes", ""),
        ("It costs $12.50.", "Ça coûte 12,50 $.", ""),
        ("Hello", "", "empty"),
        ("你好，世界", "Bonjour le monde", "not a text"),
        ("== 1 + 2 == 3 ==", "== 1 + 2 == 3 ==", "not a text"),
        ("Le chat est dans la maison.", "Le chat est dans la maison.", "not translated"),
        ("The cat is in the house.", "The dog is not in the house.", "wrong language"),
        ("Isso foi renomeado para que não mude.", "Cela a été renommé.", "wrong language"),
        ("No problem, no worries.", "Pas de souci.", ""),
        ("one two three four five six", "one two three four five six", "not translated"),
        ("Yes.", "Oui, mais je ne le dirais jamais à des gens que j'ignore.", "length ratio"),
        ("In 1985 it began.", "Cela commença en 1958.", "other numbers"),
        ("word " * 200, "mot " * 200, "too long"),
    ],
)  # fmt: skip
def test_the_reason_for_leaving_out_a_pair_is_returned(cleaning, english, french, problem):
    assert cleaning.problem(english, french) == problem


def test_sources_are_read_in_the_formats_of_their_publishers(modules, tmp_path):
    sources = modules[2]
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(b"One\tUn\t1\nTwo\tDeux\t0\n"))
    (tmp_path / "b.en").write_text("Three\nFour\n", encoding="utf-8")
    (tmp_path / "b.fr").write_text("Trois\nQuatre\n", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("fra.txt", "Five\tCinq\tCC-BY 2.0 (France) Attribution: tatoeba.org\n")
        archive.writestr("_about.txt", "about")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("X.en-fr.en", "Six\n")
        archive.writestr("X.en-fr.fr", "Sept\n")
    (tmp_path / "e.po").write_text(
        'msgid ""\nmsgstr "Language: fr\\n"\n\n'
        '#: x.py:1\nmsgid ""\n"Eight \\"and\\" "\n"nine"\nmsgstr "Huit \\"et\\" neuf"\n\n'
        '#, fuzzy\nmsgid "Ten"\nmsgstr "Onze"\n\n'
        'msgid "Twelve"\nmsgstr ""\n\n'
        '#~ msgid "Old"\n#~ msgstr "Vieux"\n',
        encoding="utf-8",
    )
    (tmp_path / "README.md").write_text("no\tpairs", encoding="utf-8")
    pairs = [pair for pair in sources.read_folder(tmp_path) if all(pair[1])]
    assert pairs == [
        ("a", ("One", "Un")),
        ("b", ("Three", "Trois")),
        ("b", ("Four", "Quatre")),
        ("c", ("Five", "Cinq")),
        ("d", ("Six", "Sept")),
        ("e", ('Eight "and" nine', 'Huit "et" neuf')),
    ]
    all_pairs = [pair for _, pair in sources.read_folder(tmp_path, everything=True)]
    assert ("Two", "Deux") in all_pairs


@pytest.fixture
def folder(tmp_path):
    """A source of 400 distinct pairs, a repeated pair and three pairs with a side in the test."""
    lines = [
        f"This is line {w} of the book.\tVoici la ligne {w} du livre." for w in range(100, 500)
    ]
    lines += [
        "THIS IS LINE 100 OF THE BOOK\tvoici la ligne 100 du livre !",  # repeated
        "He came. Nobody knew the reason why.\tIl vint. On ne savait pourquoi.",  # in the test
        "They said so.\tNous avons tous vu la mer.",  # in the test
        "He came.\tIl vint.",  # in the test, but short
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "book.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "test.tsv").write_text(
        "Nobody knew the reason why!\tx\nHe came.\tnous avons tous vu la mer\n", encoding="utf-8"
    )
    return tmp_path


def run_prepare(modules, folder, out):
    arguments = [folder / "in", "--out", folder / out, "--test", folder / "test.tsv"]
    modules[0].main([*map(str, arguments), "--valid", "20"])
    return [
        [tuple(line.split("\t")) for line in (folder / out / name).read_text("utf-8").splitlines()]
        for name in ("train.tsv", "valid.tsv")
    ]


def test_the_text_is_cleaned_split_and_combined_with_everyday_phrases(modules, folder, capsys):
    train, valid = run_prepare(modules, folder, "out")
    assert len(valid) == 20
    assert {source for *_, source in train} == {"book", "everyday"}
    book = [row for row in train if row[2] == "book"]
    assert len(book) == 400 + 1 - 20
    assert ("He came.", "Il vint.", "book") in book
    assert not {row[0] for row in valid} & {row[0] for row in train}
    table = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    counts = dict(zip(table[0], next(row for row in table if row[0] == "book"), strict=True))
    assert counts["read"] == "404"
    assert counts["duplicate"] == "1"
    assert counts["in a test"] == "2"
    assert counts["kept"] == "401"


def test_everyday_phrases_that_are_in_a_test_file_are_left_out_too(modules, folder, capsys):
    phrase = "Where is the train station?"
    train, _ = run_prepare(modules, folder, "before")
    assert phrase in {row[0] for row in train}
    with (folder / "test.tsv").open("a", encoding="utf-8") as file:
        file.write(f"{phrase}\n")
    train, _ = run_prepare(modules, folder, "after")
    assert phrase not in {row[0] for row in train}


def test_a_second_run_writes_the_same_bytes(modules, folder):
    run_prepare(modules, folder, "one")
    run_prepare(modules, folder, "two")
    for name in ("train.tsv", "valid.tsv"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_a_test_file_that_is_missing_is_refused_in_a_sentence(modules, folder):
    missing = folder / "none.tsv"
    with pytest.raises(SystemExit, match=r"there is no file .*none\.tsv: name the tests"):
        modules[0].main([str(folder), "--out", str(folder / "out"), "--test", str(missing)])


def test_a_folder_without_pairs_is_refused_in_a_sentence(modules, tmp_path):
    with pytest.raises(SystemExit, match="no English-French pairs in"):
        modules[0].main([str(tmp_path), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="there is no folder"):
        modules[0].main([str(tmp_path / "none"), "--out", str(tmp_path / "out")])
