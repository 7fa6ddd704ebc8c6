"""What a model of the shelf is worth: scores, alignment error rates, what int8 costs, its sizes.

    python benchmarks/shelf.py                               # every model of models/
    python benchmarks/shelf.py --model en-fr --write         # its scores into its bundle.json, too
    python benchmarks/shelf.py --model runs/mine --limit 50  # tries it out

For each model, by its int8 graphs, its fp32 graphs and torch: BLEU and chrF on its Tatoeba test
(as data/tatoeba/split.py leaves it, with all its references) and on Multi30k's test_2016_flickr,
and the alignment error rate of its attention and of its word aligner on the 224 Hansards pairs
en-fr.dev, turned round for a model of the other direction. Then int8 beside torch: how many
translations and links stay the same. Then text as people type it, the bundle's files, and a few
sentences to look at.

Graphs that the bundle has are taken as they are, others are exported into a copy. Prints Markdown
that can go into a model card. --write puts the scores of what runs the bundle by default, its
graphs or torch where it has none, into its bundle.json.
"""

import argparse
import gzip
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from measuring import (
    DATA,
    ROOT,
    Skipped,
    attn,
    conditions,
    ending_on_signals,
    present,
    report,
    say,
    table,
)
from measuring.translators import copied

TATOEBA, CAPTIONS, HANSARDS = "Tatoeba", "Multi30k test_2016_flickr", "Hansards en-fr.dev"
ENGINES = ("int8", "fp32", "torch")
#: What an alignment error rate is of, and the --weights that ask for it.
WEIGHTS = {"head": "alignment", "attention": "attention"}
#: Files that only training needs, or an engine that is not the one by default.
TRAINING = ("model.safetensors", "word_aligner.safetensors", "alignment_head.safetensors")

_FINAL = re.compile(r"\s*[.!?…]+$")
_GOLD = re.compile(r"(\d+)([-p?])(\d+)")

#: How a line is typed: as it stands, and four ways in which people change it.
VARIANTS: dict[str, Callable[[str], str]] = {
    "as it stands": str,
    "small letters": str.lower,
    "no final mark": lambda line: _FINAL.sub("", line),
    "small letters, no final mark": lambda line: _FINAL.sub("", line).lower(),
    "typographic apostrophes": lambda line: line.replace("'", "\u2019"),
    "capitals": str.upper,
}

#: For each language: a sentence for a table, then a phrasal verb, a name, no word, one word alone.
TEXTBOOK = {
    "en": (
        *("I love you", "Look it up.", "My name is Zaphod."),
        *("I have bought a flumbertwist.", "Hello"),
    ),
    "fr": (
        *("Je t'aime", "Cherchez-le.", "Je m'appelle Zaphod."),
        *("J'ai acheté un flumbertwiste.", "Bonjour"),
    ),
}

Score = dict[str, Any]


def main() -> int:
    options = _options()
    ending_on_signals()
    texts, records = [], []
    with tempfile.TemporaryDirectory(prefix="attn-shelf-") as scratch:
        os.environ["ATTN_HOME"] = str(Path(scratch) / "home")
        shelved = (path for path in sorted((ROOT / "models").iterdir()) if path.is_dir())
        for number, path in enumerate(options.model or shelved):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            try:
                model = Model.read(path, folder, options.limit, options.threads)
            except Skipped as reason:
                say(f"skipped {path}: {reason}")
                continue
            found = measured(model)
            texts.append(card(found))
            records.append(found.record())
            if options.write:
                if options.limit:
                    say(f"{path}: nothing is written of a part of the texts")
                else:
                    write(found)
    about = conditions()
    text = "\n".join([*texts, f"* {about}\n"])
    report(text, {"conditions": about, "models": records}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", "-m", action="append", type=_path, help="a name in models/, or a folder [all]")
    add("--write", action="store_true", help="put the scores into each bundle.json")
    add("--threads", type=int, default=1, help="[1]")
    add("--limit", type=int, help="only so many lines of each text, to try this out")
    add("--output", "-o", type=Path, help="writes OUTPUT.json and OUTPUT.md, too")
    return parser.parse_args()


def _path(name: str) -> Path:
    shelved = ROOT / "models" / name
    return shelved if shelved.is_dir() and os.sep not in name else Path(name).absolute()


# What is measured, and with what


@dataclass(frozen=True)
class Text:
    """Lines to translate, and their references; a blank line behind the first is none."""

    on: str
    source: Path
    references: Sequence[Path]
    count: int


@dataclass(frozen=True)
class Model:
    """A bundle, a folder for what is made of it, and how much of each text is read."""

    path: Path
    facts: dict[str, Any]
    folder: Path
    limit: int | None
    threads: int

    @classmethod
    def read(cls, path: Path, folder: Path, limit: int | None, threads: int) -> "Model":
        """Raises Skipped where there is no bundle."""
        facts = json.loads(present(path / "bundle.json").read_text(encoding="utf-8"))
        return cls(path, facts, folder, limit, threads)

    @property
    def source(self) -> str:
        return str(self.facts["source"])

    @property
    def target(self) -> str:
        return str(self.facts["target"])

    @property
    def weights(self) -> list[str]:
        """What it aligns by: its head, if it has one, and its attention."""
        head = any(
            name.startswith(("word_aligner.", "alignment_head.")) for name in self.facts["files"]
        )
        return [name for name in WEIGHTS if head or name != "head"]

    @property
    def own(self) -> str:
        """The engine that runs it by default."""
        return str(self.facts.get("precision", "torch"))

    def running(self, engine: str) -> tuple[object, ...]:
        """The options that have it run so; its graphs are exported where it has none of the kind.

        Raises Skipped where it has nothing to run, or to make graphs of.
        """
        folder = self.path
        if engine != self.own:
            if "model.safetensors" not in self.facts["files"]:
                raise Skipped("it has no weights")
            if engine != "torch":
                folder = self.exported(engine)
        runtime = "torch" if engine == "torch" else "onnx"
        return ("-m", folder, "--engine", runtime, "--device", "cpu", "--threads", self.threads)

    def exported(self, precision: str) -> Path:
        """A copy with graphs of that precision."""
        folder = self.folder / precision
        if not folder.exists():
            say(f"{self.path.name}: exporting {precision}")
            copied(self.path, folder)
            attn("export", folder, "--precision", precision)
        return folder

    def texts(self) -> Iterator[Text]:
        """What there is of Tatoeba and Multi30k in its languages, said where there is none."""
        pair = f"{self.source}-{self.target}"
        tatoeba = ROOT / "data" / "tatoeba"
        captions = DATA / "multi30k"
        source = tatoeba / f"test.{pair}.{self.source}"
        references = sorted(tatoeba.glob(f"test.{pair}.[0-9]*.{self.target}"))
        found = {
            TATOEBA: (source, references),
            CAPTIONS: (
                captions / f"test_2016_flickr.{self.source}.gz",
                [captions / f"test_2016_flickr.{self.target}.gz"],
            ),
        }
        for number, (on, (path, others)) in enumerate(found.items()):
            try:
                lines = [self._part(each, f"text{number}") for each in (path, *others)]
            except Skipped as reason:
                say(f"{self.path.name}: skipped {on}: {reason}")
                continue
            name = f"{on} test.{pair}" if on == TATOEBA else on
            yield Text(name, lines[0], lines[1:], len(read(lines[0])))

    def pairs(self) -> tuple[Path, Path, int]:
        """The Hansards pairs and their gold in its direction, and how many they are.

        Raises Skipped where they are not, or of other languages.
        """
        if {self.source, self.target} != {"en", "fr"}:
            raise Skipped(f"{HANSARDS} is not {self.source}-{self.target}")
        text, gold = (
            self._part(DATA / "alignment" / f"en-fr.dev.{end}", "pairs")
            for end in ("src-tgt", "gold")
        )
        if self.source == "fr":
            turned = [" ||| ".join(line.split(" ||| ")[::-1]) for line in read(text)]
            write_lines(text, turned)
            write_lines(gold, [_GOLD.sub(r"\3\2\1", line) for line in read(gold)])
        return text, gold, len(read(text))

    def _part(self, path: Path, prefix: str) -> Path:
        """The lines that are read of a file, in a file of their own."""
        opened = gzip.open if present(path).suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="\n") as lines:
            part = [line.rstrip("\r\n") for line in islice(lines, self.limit)]
        return write_lines(self.folder / f"{prefix}.{path.name.removesuffix('.gz')}", part)


def read(path: Path) -> list[str]:
    """The lines of a file."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """A file of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


# Measuring


@dataclass
class Found:
    """What was measured of a model; each by its engine, then by what it is on or of."""

    model: Model
    texts: list[Text] = field(default_factory=list)
    scores: dict[str, dict[str, dict[str, Score]]] = field(default_factory=dict)
    errors: dict[str, dict[str, Score]] = field(default_factory=dict)
    pairs: int = 0
    same_texts: dict[str, float] = field(default_factory=dict)  # percent, int8 and torch
    same_links: list[tuple[str, str, "Agreement"]] = field(default_factory=list)
    variants: dict[str, tuple[float, float]] = field(default_factory=dict)
    signature: str = ""  # of the variants' scores
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    textbook: str = ""
    skipped: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """All of it, for a machine."""
        return {
            "model": str(self.model.path),
            "runs_by_default": self.model.own,
            "scores": self.scores,
            "aer": self.errors,
            "same_translations": self.same_texts,
            "same_links": [
                {"on": on, "of": of, "f1": same.f1, "pairs_all_the_same": same.pairs}
                for on, of, same in self.same_links
            ],
            "variants_chrf": self.variants,
            "variants_signature": self.signature,
            "bytes": self.sizes,
            "textbook": self.textbook,
            "skipped": self.skipped,
        }


def measured(model: Model) -> Found:
    """Everything of one model. What cannot be had is noted and left out."""
    found = Found(model, texts=list(model.texts()))
    running = {}
    for engine in ENGINES:
        with _excusing(found, engine):
            running[engine] = model.running(engine)
    for engine, options in running.items():
        say(f"{model.path.name}: translating by {engine}")
        found.scores[engine] = {}
        for text in found.texts:
            out = translated(text.source, options, _output(model, engine, text))
            found.scores[engine][text.on] = scored(out, text.references)
    with _excusing(found, HANSARDS):
        align(found, running)
    with _excusing(found, "int8 beside torch"):
        compare(found, running)
    if found.texts and found.texts[0].on.startswith(TATOEBA):
        with _excusing(found, "variants"):
            vary(found, found.texts[0], running[model.own])
    for engine in running:
        folder = model.path if engine in (model.own, "torch") else model.folder / engine
        found.sizes[engine] = sizes(folder)
    with _excusing(found, "textbook"):
        found.textbook = textbook(model, running[model.own])
    return found


@contextmanager
def _excusing(found: Found, what: str) -> Iterator[None]:
    try:
        yield
    except Skipped as reason:
        say(f"{found.model.path.name}: skipped {what}: {reason}")
        found.skipped.append(f"{what}: {reason}")


def _output(model: Model, engine: str, text: Text) -> Path:
    return model.folder / f"{text.source.name}.{engine}.{model.target}"


def translated(source: Path, options: Sequence[object], out: Path) -> Path:
    """A file of translations, as its recipe searches."""
    attn("translate", *options, "-i", source, "-o", out)
    return out


def scored(out: Path, references: Sequence[Path]) -> dict[str, Score]:
    """BLEU, chrF and TER, with their signatures."""
    named = (option for path in references for option in ("--reference", path))
    found: dict[str, Score] = json.loads(attn("score", *named, "--format", "json", out))
    return found


def align(found: Found, running: dict[str, tuple[object, ...]]) -> None:
    """The alignment error rates of all engines, and the links that they were taken of."""
    model = found.model
    text, gold, found.pairs = model.pairs()
    for engine, options in running.items():
        say(f"{model.path.name}: aligning by {engine}")
        found.errors[engine] = {}
        for name in model.weights:
            links = model.folder / f"hansards.{engine}.{name}"
            linked(options, name, links, "--tokenized", "-i", text)
            of_links = ("--gold", gold, "--links", links, "--index-base", 1, "--index-base", 0)
            error = json.loads(attn("score", *of_links, "--format", "json"))
            found.errors[engine][name] = error["aer"]


def linked(options: Sequence[object], name: str, out: Path, *pairs: object) -> Path:
    """A file of links of pairs that are given."""
    attn("align", *options, "--weights", WEIGHTS[name], "-f", "pharaoh", "-o", out, *pairs)
    return out


@dataclass(frozen=True)
class Agreement:
    """How far two files of links agree, in percent: F1 of all links, pairs with the same ones."""

    f1: float
    pairs: float

    @classmethod
    def of(cls, one: Path, other: Path) -> "Agreement":
        """Of links line by line."""
        sides = [[set(line.split()) for line in read(path)] for path in (one, other)]
        both = list(zip(*sides, strict=True))
        shared = sum(len(ours & theirs) for ours, theirs in both)
        links = sum(len(ours) + len(theirs) for ours, theirs in both)
        same = sum(ours == theirs for ours, theirs in both)
        return cls(200 * shared / links if links else 100.0, 100 * same / len(both))


def compare(found: Found, running: dict[str, tuple[object, ...]]) -> None:
    """What int8 changes: translations, links of int8's translations and of the Hansards pairs."""
    model = found.model
    pair = ("int8", "torch")
    if missing := [engine for engine in pair if engine not in running]:
        raise Skipped(f"it does not run by {' and '.join(missing)}")
    for text in found.texts:
        ours, theirs = (read(_output(model, engine, text)) for engine in pair)
        same = sum(one == other for one, other in zip(ours, theirs, strict=True))
        found.same_texts[text.on] = 100 * same / len(ours)
    for text in found.texts[:1]:
        sides = ("--source", text.source, "--target", _output(model, "int8", text))
        for name in model.weights:
            links = [
                linked(running[engine], name, model.folder / f"own.{engine}.{name}", *sides)
                for engine in pair
            ]
            found.same_links.append((text.on, name, Agreement.of(*links)))
    for name in found.errors.get("int8", {}):
        links = [model.folder / f"hansards.{engine}.{name}" for engine in pair]
        found.same_links.append((HANSARDS, name, Agreement.of(*links)))


def vary(found: Found, text: Text, options: Sequence[object]) -> None:
    """chrF of text as people type it, all in small letters; then without final marks as well."""
    model = found.model
    lines = read(text.source)

    def plain(path: Path, change: Callable[[str], str]) -> Path:
        changed = [change(line.lower()) for line in read(path)]
        return write_lines(path.with_name(f"plain.{path.name}"), changed)

    for number, (name, change) in enumerate(VARIANTS.items()):
        say(f"{model.path.name}: {name}")
        source = write_lines(model.folder / f"variant.{number}", [change(line) for line in lines])
        out = translated(source, options, model.folder / f"variant.{number}.{model.target}")
        chrf = []
        for without in (str, VARIANTS["no final mark"]):
            references = [plain(path, without) for path in text.references]
            found.signature = (score := scored(plain(out, without), references)["chrf"])[
                "signature"
            ]
            chrf.append(score["score"])
        found.variants[name] = (chrf[0], chrf[1])


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file of a bundle."""
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    files = {name: int(entry["bytes"]) for name, entry in facts["files"].items()}
    extra = {name: folder / name for name in ("bundle.json", "MODEL_CARD.md")}
    return {**files, **{name: path.stat().st_size for name, path in extra.items() if path.exists()}}


def textbook(model: Model, options: Sequence[object]) -> str:
    """A few sentences: the first as a table, all as lines."""
    sentences = TEXTBOOK.get(model.source)
    if sentences is None:
        raise Skipped(f"there are no sentences in {model.source}")
    first, *_ = sentences
    head = ["--weights", "alignment"] if "head" in model.weights else []
    shown = attn("translate", *options, first, "--align", *head)
    lines = attn("translate", *options, *sentences).splitlines()
    width = max(map(len, sentences))
    pairs = (f"{one:{width}}  {other}\n" for one, other in zip(sentences, lines, strict=True))
    return shown.rstrip("\n") + "\n\n" + "".join(pairs)


# What is told


def card(found: Found) -> str:
    """The Markdown of a model."""
    model = found.model
    parts = [f"## {model.facts['name']}\n", _scores(found)]
    if found.same_texts or found.same_links:
        parts += ["int8 beside torch:\n", _sameness(found)]
    if found.variants:
        parts += [
            f"Text as people type it, by {model.own}, {found.texts[0].on}, chrF "
            f"({found.signature}) of translations and references in small letters:\n",
            _variants(found),
        ]
    parts += [_sizes(found)]
    if found.textbook:
        parts += [f"By {model.own}:\n", f"```\n{found.textbook}```\n"]
    if found.skipped:
        parts += ["".join(f"* skipped {what}\n" for what in found.skipped)]
    return "\n".join(parts)


def _scores(found: Found) -> str:
    titles = ["by"]
    for text in found.texts:
        titles += [f"{text.on}: BLEU", "chrF"]
    titles += [f"AER, {name}" for name in found.model.weights if found.pairs]
    rows = []
    notes: dict[str, None] = {}
    for engine, scores in found.scores.items():
        row = [f"{engine} (its own)" if engine == found.model.own else engine]
        for text in found.texts:
            for metric in ("bleu", "chrf"):
                score = scores[text.on][metric]
                row.append(f"{score['score']:.1f}")
                on = f"{text.on}, {text.count:,} lines"
                notes[f"{on}: {'BLEU' if metric == 'bleu' else 'chrF'} {score['signature']}"] = None
        for error in found.errors.get(engine, {}).values():
            row.append(f"{error['score']:.1f} (P {error['precision']:.1f} R {error['recall']:.1f})")
            notes[f"{HANSARDS}, {found.pairs} pairs: AER {error['signature']}"] = None
        rows.append(row + [""] * (len(titles) - len(row)))
    return table(titles, rows) + "\n" + "".join(f"* {note}\n" for note in notes)


def _sameness(found: Found) -> str:
    rows = []
    for text in found.texts:
        ours, theirs = (
            found.scores[engine][text.on]["bleu"]["score"] for engine in ("int8", "torch")
        )
        rows.append((text.on, "BLEU", f"{ours - theirs:+.2f}"))
        rows.append((text.on, "translations the same", f"{found.same_texts[text.on]:.1f} %"))
    for on, name, same in found.same_links:
        rows.append((on, f"links by {name} the same (F1)", f"{same.f1:.2f} %"))
        rows.append((on, f"pairs whose links by {name} are all the same", f"{same.pairs:.1f} %"))
    return table(("on", "what", "int8, torch"), rows)


def _variants(found: Found) -> str:
    rows = [
        (name, f"{with_marks:.1f}", f"{without:.1f}")
        for name, (with_marks, without) in found.variants.items()
    ]
    return table(("typed", "chrF", "final marks left out of both"), rows)


def _sizes(found: Found) -> str:
    names = list(dict.fromkeys(name for files in found.sizes.values() for name in files))
    kinds = [engine for engine in found.sizes if engine != "torch"] or list(found.sizes)

    def megabytes(engine: str, chosen: Sequence[str]) -> str:
        files = found.sizes[engine]
        size = sum(files[name] for name in chosen if name in files)
        return f"{size / 1e6:.2f}" if size else ""

    rows = [(name, *(megabytes(engine, [name]) for engine in kinds)) for name in names]
    lean = [name for name in names if name not in TRAINING]
    rows.append(("all", *(megabytes(engine, names) for engine in kinds)))
    rows.append(("all but training's weights", *(megabytes(engine, lean) for engine in kinds)))
    return table(("MB", *kinds), rows)


# What is kept


def write(found: Found) -> None:
    """Put the scores of what runs a bundle by default into its bundle.json, by renaming."""
    from attn_cli.bundles.manifest import CARD, FACTS, read_manifest
    from attn_cli.bundles.storage import add_file

    model = found.model
    facts = read_manifest(model.path)
    scores = kept(found)
    facts["scores"] = {**facts["scores"], **scores}
    beside = model.path / f"{FACTS}.part"
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, model.path / FACTS)
    if (model.path / CARD).is_file():
        add_file(model.path, CARD)
    say(f"{model.path / FACTS}: {', '.join(scores)}")


def kept(found: Found) -> dict[str, Score]:
    """The scores that a bundle tells of itself: of the whole texts, each with its signature."""
    engine = found.model.own
    scores: dict[str, Score] = {}
    for text in found.texts:
        suffix = "" if text.on.startswith(TATOEBA) else "_multi30k"
        for metric in ("bleu", "chrf"):
            score = found.scores[engine][text.on][metric]
            scores[metric + suffix] = {**score, "on": f"{text.on}, {text.count} lines, {engine}"}
    for name, error in found.errors.get(engine, {}).items():
        first = name == found.model.weights[0]
        scores["aer" if first else f"aer_{name}"] = {
            "score": error["score"],
            "signature": error["signature"],
            "on": f"{HANSARDS}, {found.pairs} pairs, {name}, {engine}",
        }
    return scores


if __name__ == "__main__":
    sys.exit(main())
