# python data/tatoeba/split.py [fra-eng.zip | fra.txt | en-fr.tsv.gz]
"""Split Tatoeba's English-French pairs into training, validation and test text.

Without an argument it downloads the pairs of tatoeba.org from manythings.org/anki (CC BY 2.0 FR).
No training pair has, in either direction, a translation of a test or validation sentence, or
another sentence with one of these translations. Sentences of fewer than four words, and those that
share a translation with one, are never sampled: a small network needs greetings in training.

Writes into its folder, as parallel lines:
    train.en train.fr (pairs of LOOK_UP ten times), valid.en valid.fr
    test.en-fr.en with references test.en-fr.0.fr, test.en-fr.1.fr, … (blank: no further one)
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
SHORTEST = 4  # minimum words of a sampled sentence

#: A phrasal verb that is too rare for a small network: its pairs are repeated.
LOOK_UP = re.compile(r"\blook(ed|ing)? (it|them|that|this) up\b|\blook up (the|this|that|a) ", re.I)

Pair = tuple[str, str]


def read(path: str | None) -> list[Pair]:
    """Return the distinct pairs, in the order of the file."""
    data = Path(path).read_bytes() if path else download()
    if data[:2] == b"PK":
        data = zipfile.ZipFile(io.BytesIO(data)).read("fra.txt")
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    rows = (line.split("\t") for line in data.decode("utf-8").splitlines())
    return list(dict.fromkeys((row[0].strip(), row[1].strip()) for row in rows if len(row) > 1))


def download() -> bytes:
    request = urllib.request.Request(URL, headers={"User-Agent": "attn"})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def key(sentence: str) -> str:
    """Return the letters and digits of a sentence, in lower case."""
    return " ".join(re.findall(r"\w+", sentence.lower()))


def split(pairs: list[Pair]) -> tuple[list[Pair], list[Pair], list[Pair]]:
    """Return training, validation and test pairs."""
    short = {key(f) for english, f in pairs if len(key(english).split()) < SHORTEST}
    common = {key(english) for english, french in pairs if key(french) in short}
    sentences = sorted({key(english) for english, _ in pairs} - common)
    random.Random(1).shuffle(sentences)
    test, valid = set(sentences[:TEST]), set(sentences[TEST : TEST + VALID])
    in_test = [pair for pair in pairs if key(pair[0]) in test]
    known = {key(french) for _, french in in_test}
    in_valid = [p for p in pairs if key(p[0]) in valid and key(p[1]) not in known]
    known |= {key(french) for _, french in in_valid}
    held_out = test | valid
    train = [p for p in pairs if key(p[0]) not in held_out and key(p[1]) not in known]
    return train, in_valid, in_test


def write(name: str, lines: list[str]) -> None:
    (HERE / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_test(name: str, pairs: list[Pair], languages: tuple[str, str]) -> None:
    """Write the distinct source sentences, and a file for each reference of one."""
    references = defaultdict(list)
    for source, target in pairs:
        references[source].append(target)
    write(f"test.{name}.{languages[0]}", list(references))
    for number in range(max(map(len, references.values()))):
        lines = [r[number] if number < len(r) else "" for r in references.values()]
        write(f"test.{name}.{number}.{languages[1]}", lines)


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
