# python data/tatoeba/split.py [fra-eng.zip | fra.txt | en-fr.tsv.gz]
"""Splits Tatoeba's English-French pairs into training, validation and test text.

Without an argument it fetches the pairs that manythings.org/anki makes of tatoeba.org (CC BY 2.0
FR). What belongs to a test or validation sentence is in no training pair, in either direction: no
translation of it, and no other sentence that one of its translations also translates. Sentences of
fewer than four words, and what shares a translation with one, are never drawn: greetings and the
like stay in training, where a small network cannot do without them.

Writes beside itself, English and French line by line beside each other:
    train.en train.fr (pairs of LOOK_UP ten times), valid.en valid.fr
    test.en-fr.en with references test.en-fr.0.fr, test.en-fr.1.fr, … (blank: no more of them)
    test.fr-en.fr with references test.fr-en.0.en, …
"""

import gzip
import io
import random
import re
import sys
import urllib.request
import zipfile
from collections import defaultdict
from pathlib import Path

URL = "https://www.manythings.org/anki/fra-eng.zip"
HERE = Path(__file__).resolve().parent
TEST, VALID = 1000, 700  # English sentences
SHORTEST = 4  # words of a sentence that is drawn

#: Two words that together mean another thing, too seldom for a small network to notice.
LOOK_UP = re.compile(r"\blook(ed|ing)? (it|them|that|this) up\b|\blook up (the|this|that|a) ", re.I)

Pair = tuple[str, str]


def read(path: str | None) -> list[Pair]:
    """The distinct pairs, in the order of the file."""
    data = Path(path).read_bytes() if path else fetched()
    if data[:2] == b"PK":
        data = zipfile.ZipFile(io.BytesIO(data)).read("fra.txt")
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    rows = (line.split("\t") for line in data.decode("utf-8").splitlines())
    return list(dict.fromkeys((row[0].strip(), row[1].strip()) for row in rows if len(row) > 1))


def fetched() -> bytes:
    request = urllib.request.Request(URL, headers={"User-Agent": "attn"})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def key(sentence: str) -> str:
    """What two spellings of one sentence share: its letters and digits, in small letters."""
    return " ".join(re.findall(r"\w+", sentence.lower()))


def split(pairs: list[Pair]) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Training, validation and test pairs."""
    short = {key(f) for english, f in pairs if len(key(english).split()) < SHORTEST}
    common = {key(english) for english, french in pairs if key(french) in short}
    sentences = sorted({key(english) for english, _ in pairs} - common)
    random.Random(1).shuffle(sentences)
    test, valid = set(sentences[:TEST]), set(sentences[TEST : TEST + VALID])
    in_test = [pair for pair in pairs if key(pair[0]) in test]
    known = {key(french) for _, french in in_test}
    in_valid = [p for p in pairs if key(p[0]) in valid and key(p[1]) not in known]
    known |= {key(french) for _, french in in_valid}
    held = test | valid
    return [p for p in pairs if key(p[0]) not in held and key(p[1]) not in known], in_valid, in_test


def write(name: str, lines: list[str]) -> None:
    (HERE / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_test(name: str, pairs: list[Pair], languages: tuple[str, str]) -> None:
    """The distinct source sentences, and as many references as the most translated one has."""
    references = defaultdict(list)
    for source, target in pairs:
        references[source].append(target)
    write(f"test.{name}.{languages[0]}", list(references))
    for number in range(max(map(len, references.values()))):
        found = [r[number] if number < len(r) else "" for r in references.values()]
        write(f"test.{name}.{number}.{languages[1]}", found)


def main() -> None:
    train, valid, test = split(read(sys.argv[1] if len(sys.argv) > 1 else None))
    train += [pair for pair in train if LOOK_UP.search(pair[0])] * 9
    random.Random(2).shuffle(train)
    for name, part in (("train", train), ("valid", valid)):
        write(f"{name}.en", [english for english, _ in part])
        write(f"{name}.fr", [french for _, french in part])
    write_test("en-fr", test, ("en", "fr"))
    write_test("fr-en", [(french, english) for english, french in test], ("fr", "en"))
    print(f"{len(train)} training, {len(valid)} validation and {len(test)} test pairs")


main()
