"""Measure a model: scores, alignment error rates, the effect of int8, the sizes of its files."""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from measuring import DATA, ROOT, Skipped, attn, report_skips, require_file, say
from measuring.translators import copy_bundle

TATOEBA, CAPTIONS, HANSARDS = "Tatoeba", "Multi30k test_2016_flickr", "Hansards en-fr.dev"

#: Test texts of general models: files of English TAB French, and the number of lines read.
GENERAL = {"newstest2013": 1000, "tico19-dev": 1000}
ENGINES = ("int8", "fp32", "torch")

#: The matrices that links are extracted from, and the value of --weights for each.
WEIGHTS = {"word aligner": "alignment", "attention": "attention"}

#: Ways to type a line: unchanged, and five changes that people make.
VARIANTS: dict[str, Callable[[str], str]] = {
    "unchanged": str,
    "lower case": str.lower,
    "no final punctuation": lambda line: _FINAL_PUNCTUATION.sub("", line),
    "lower case, no final punctuation": lambda line: _FINAL_PUNCTUATION.sub("", line).lower(),
    "typographic apostrophes": lambda line: line.replace("'", "\u2019"),
    "upper case": str.upper,
}

#: For each language: a sentence for a table, a phrasal verb, a name, an unknown word, one word.
SAMPLE_SENTENCES = {
    "en": (
        *("I love you", "Look it up.", "My name is Zaphod."),
        *("I have bought a flumbertwist.", "Hello"),
    ),
    "fr": (
        *("Je t'aime", "Cherchez-le.", "Je m'appelle Zaphod."),
        *("J'ai acheté un flumbertwiste.", "Bonjour"),
    ),
}

_FINAL_PUNCTUATION = re.compile(r"\s*[.!?…]+$")
_GOLD = re.compile(r"(\d+)([-p?])(\d+)")

Score = dict[str, Any]
Options = tuple[object, ...]


@dataclass(frozen=True)
class TestText:
    """Lines to translate and their references; only the first reference file has all lines."""

    on: str
    source: Path
    references: Sequence[Path]
    count: int


@dataclass(frozen=True)
class Model:
    """A bundle, a folder for temporary files, and the number of lines to read of each text."""

    path: Path
    facts: dict[str, Any]
    folder: Path
    limit: int | None
    threads: int
    engines: Sequence[str] = ENGINES

    @classmethod
    def read(
        cls, path: Path, folder: Path, limit: int | None, threads: int, engines: Sequence[str]
    ) -> "Model":
        """Read the manifest of a bundle. Raises Skipped if there is none."""
        facts = json.loads(require_file(path / "bundle.json").read_text(encoding="utf-8"))
        return cls(path, facts, folder, limit, threads, engines)

    @property
    def source(self) -> str:
        """The source language."""
        return str(self.facts["source"])

    @property
    def target(self) -> str:
        """The target language."""
        return str(self.facts["target"])

    @property
    def weights(self) -> list[str]:
        """The names in `WEIGHTS` that the model has."""
        prefixes = ("word_aligner.", "alignment_head.")
        has_aligner = any(name.startswith(prefixes) for name in self.facts["files"])
        return [name for name in WEIGHTS if has_aligner or name != "word aligner"]

    @property
    def default_engine(self) -> str:
        """The engine that runs the bundle by default."""
        return str(self.facts.get("precision", "torch"))

    def options(self, engine: str) -> Options:
        """Return the options that run it on an engine, after exporting graphs if it has none.

        Raises Skipped without parameters.
        """
        folder = self.path
        if engine != self.default_engine:
            if "model.safetensors" not in self.facts["files"]:
                raise Skipped("it has no parameters")
            if engine != "torch":
                folder = self.export(engine)
        runtime = "torch" if engine == "torch" else "onnx"
        return ("-m", folder, "--engine", runtime, "--device", "cpu", "--threads", self.threads)

    def export(self, precision: str) -> Path:
        """Return a copy with graphs of that precision."""
        folder = self.folder / precision
        if not folder.exists():
            say(f"{self.path.name}: exporting {precision}")
            copy_bundle(self.path, folder)
            attn("export", folder, "--precision", precision)
        return folder

    def output(self, engine: str, text: TestText) -> Path:
        """Return the file of an engine's translations of a text."""
        return self.folder / f"{text.source.name}.{engine}.{self.target}"

    def texts(self) -> Iterator[TestText]:
        """Yield the test texts in its languages; report missing ones."""
        pair = f"{self.source}-{self.target}"
        tatoeba = ROOT / "data" / "tatoeba"
        captions = DATA / "multi30k"
        files = {
            TATOEBA: (
                tatoeba / f"test.{pair}.{self.source}",
                sorted(tatoeba.glob(f"test.{pair}.[0-9]*.{self.target}")),
            ),
            CAPTIONS: (
                captions / f"test_2016_flickr.{self.source}.gz",
                [captions / f"test_2016_flickr.{self.target}.gz"],
            ),
        }
        for number, (on, (source, references)) in enumerate(files.items()):
            try:
                parts = [self._read_part(path, f"text{number}") for path in (source, *references)]
            except Skipped as reason:
                say(f"{self.path.name}: skipped {on}: {reason}")
                continue
            name = f"{on} test.{pair}" if on == TATOEBA else on
            yield TestText(name, parts[0], parts[1:], len(read_lines(parts[0])))
        for on, count in GENERAL.items():
            try:
                yield self._read_columns(on, count)
            except Skipped as reason:
                say(f"{self.path.name}: skipped {on}: {reason}")

    def _read_columns(self, on: str, count: int) -> TestText:
        """Write the first `count` lines of a file of two columns into a file for each language.

        Raises Skipped if it is missing or of other languages.
        """
        if {self.source, self.target} != {"en", "fr"}:
            raise Skipped(f"{on} is not {self.source}-{self.target}")
        path = require_file(DATA / "general" / "test" / f"{on}.tsv.gz")
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            rows = [line.rstrip("\r\n").split("\t") for line in islice(lines, self.limit or count)]
        files = {
            language: write_lines(self.folder / f"{on}.{language}", [row[column] for row in rows])
            for column, language in enumerate(("en", "fr"))
        }
        return TestText(on, files[self.source], [files[self.target]], len(rows))

    def gold_pairs(self) -> tuple[Path, Path, int]:
        """Return the Hansards pairs and gold links in its direction, and the number of pairs.

        Raises Skipped if they are missing or of other languages.
        """
        if {self.source, self.target} != {"en", "fr"}:
            raise Skipped(f"{HANSARDS} is not {self.source}-{self.target}")
        text, gold = (
            self._read_part(DATA / "alignment" / f"en-fr.dev.{end}", "pairs")
            for end in ("src-tgt", "gold")
        )
        if self.source == "fr":
            write_lines(
                text, [" ||| ".join(line.split(" ||| ")[::-1]) for line in read_lines(text)]
            )
            write_lines(gold, [_GOLD.sub(r"\3\2\1", line) for line in read_lines(gold)])
        return text, gold, len(read_lines(text))

    def _read_part(self, path: Path, prefix: str) -> Path:
        """Copy the first `limit` lines of a file."""
        open_text = gzip.open if require_file(path).suffix == ".gz" else open
        with open_text(path, "rt", encoding="utf-8", newline="\n") as lines:
            part = [line.rstrip("\r\n") for line in islice(lines, self.limit)]
        return write_lines(self.folder / f"{prefix}.{path.name.removesuffix('.gz')}", part)


@dataclass(frozen=True)
class Agreement:
    """The agreement of two files of links, in percent: F1 of links, share of equal pairs."""

    f1: float
    pairs: float

    @classmethod
    def of_files(cls, first: Path, second: Path) -> "Agreement":
        """Compare two files line by line."""
        sides = [[set(line.split()) for line in read_lines(path)] for path in (first, second)]
        lines = list(zip(*sides, strict=True))
        common = sum(len(a & b) for a, b in lines)
        total = sum(len(a) + len(b) for a, b in lines)
        equal = sum(a == b for a, b in lines)
        return cls(200 * common / total if total else 100.0, 100 * equal / len(lines))


@dataclass
class Measurements:
    """The measurements of a model, by engine, then by text or matrix."""

    model: Model
    texts: list[TestText] = field(default_factory=list)
    scores: dict[str, dict[str, dict[str, Score]]] = field(default_factory=dict)
    error_rates: dict[str, dict[str, Score]] = field(default_factory=dict)
    pairs: int = 0
    equal_translations: dict[str, float] = field(default_factory=dict)  # percent, int8 and torch
    equal_links: list[tuple[str, str, Agreement]] = field(default_factory=list)
    variants: dict[str, tuple[float, float]] = field(default_factory=dict)
    signature: str = ""  # of the variants' scores
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    samples: str = ""
    skipped: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Return the measurements as JSON."""
        return {
            "model": str(self.model.path),
            "runs_by_default": self.model.default_engine,
            "scores": self.scores,
            "aer": self.error_rates,
            "same_translations": self.equal_translations,
            "same_links": [
                {"on": on, "of": name, "f1": agreement.f1, "pairs_all_the_same": agreement.pairs}
                for on, name, agreement in self.equal_links
            ],
            "variants_chrf": self.variants,
            "variants_signature": self.signature,
            "bytes": self.sizes,
            "samples": self.samples,
            "skipped": self.skipped,
        }


def measure_model(model: Model) -> Measurements:
    """Measure a model. What cannot be measured is skipped and noted."""
    result = Measurements(model, texts=list(model.texts()))
    name = model.path.name
    options: dict[str, Options] = {}
    for engine in model.engines:
        with report_skips(f"{name}: {engine}", result.skipped):
            options[engine] = model.options(engine)
    for engine, engine_options in options.items():
        say(f"{name}: translating with {engine}")
        result.scores[engine] = {}
        for text in result.texts:
            output = translate(text.source, engine_options, model.output(engine, text))
            result.scores[engine][text.on] = score_translations(output, text.references)
    with report_skips(f"{name}: {HANSARDS}", result.skipped):
        _measure_alignment(result, options)
    with report_skips(f"{name}: int8 and torch", result.skipped):
        _compare_int8(result, options)
    if result.texts and result.texts[0].on.startswith(TATOEBA):
        with report_skips(f"{name}: variants", result.skipped):
            _measure_variants(result, result.texts[0], options[model.default_engine])
    for engine in options:
        is_own = engine in (model.default_engine, "torch")
        result.sizes[engine] = _file_sizes(model.path if is_own else model.folder / engine)
    with report_skips(f"{name}: samples", result.skipped):
        result.samples = _translate_samples(model, options[model.default_engine])
    return result


def translate(source: Path, options: Sequence[object], output: Path) -> Path:
    """Translate a file with the search of the recipe; return `output`."""
    attn("translate", *options, "-i", source, "-o", output)
    return output


def score_translations(output: Path, references: Sequence[Path]) -> dict[str, Score]:
    """Return BLEU, chrF and TER with their signatures."""
    options = (option for path in references for option in ("--reference", path))
    scores: dict[str, Score] = json.loads(attn("score", *options, "--format", "json", output))
    return scores


def write_links(options: Sequence[object], name: str, output: Path, *pairs: object) -> Path:
    """Write the links of pairs by the matrix of that name in `WEIGHTS`; return `output`."""
    attn("align", *options, "--weights", WEIGHTS[name], "-f", "pharaoh", "-o", output, *pairs)
    return output


def read_lines(path: Path) -> list[str]:
    """Read the lines of a file."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Write lines into a file; return it."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _measure_alignment(result: Measurements, options: dict[str, Options]) -> None:
    """Measure the alignment error rate of each matrix on each engine."""
    model = result.model
    text, gold, result.pairs = model.gold_pairs()
    for engine, engine_options in options.items():
        say(f"{model.path.name}: aligning with {engine}")
        result.error_rates[engine] = {}
        for name in model.weights:
            links = model.folder / f"hansards.{engine}.{name}"
            write_links(engine_options, name, links, "--tokenized", "-i", text)
            files = ("--gold", gold, "--links", links, "--index-base", 1, "--index-base", 0)
            scores = json.loads(attn("score", *files, "--format", "json"))
            result.error_rates[engine][name] = scores["aer"]


def _compare_int8(result: Measurements, options: dict[str, Options]) -> None:
    """Compare int8 with torch: translations, links of int8's translations and of Hansards."""
    model = result.model
    engines = ("int8", "torch")
    if missing := [engine for engine in engines if engine not in options]:
        raise Skipped(f"it does not run with {' and '.join(missing)}")
    for text in result.texts:
        outputs = [read_lines(model.output(engine, text)) for engine in engines]
        equal = sum(a == b for a, b in zip(*outputs, strict=True))
        result.equal_translations[text.on] = 100 * equal / len(outputs[0])
    for text in result.texts[:1]:
        pairs = ("--source", text.source, "--target", model.output("int8", text))
        for name in model.weights:
            links = [
                write_links(options[engine], name, model.folder / f"int8.{engine}.{name}", *pairs)
                for engine in engines
            ]
            result.equal_links.append((text.on, name, Agreement.of_files(*links)))
    for name in result.error_rates.get("int8", {}):
        links = [model.folder / f"hansards.{engine}.{name}" for engine in engines]
        result.equal_links.append((HANSARDS, name, Agreement.of_files(*links)))


def _measure_variants(result: Measurements, text: TestText, options: Sequence[object]) -> None:
    """Measure chrF of each variant of a text, in lower case, and without final punctuation."""
    model = result.model
    lines = read_lines(text.source)

    def normalize(path: Path, change: Callable[[str], str]) -> Path:
        lines_of_variant = [change(line.lower()) for line in read_lines(path)]
        return write_lines(path.with_name(f"normalized.{path.name}"), lines_of_variant)

    for number, (name, change) in enumerate(VARIANTS.items()):
        say(f"{model.path.name}: {name}")
        source = write_lines(model.folder / f"variant.{number}", [change(line) for line in lines])
        output = translate(source, options, model.folder / f"variant.{number}.{model.target}")
        chrf = []
        for normalization in (str, VARIANTS["no final punctuation"]):
            references = [normalize(path, normalization) for path in text.references]
            score = score_translations(normalize(output, normalization), references)["chrf"]
            result.signature = score["signature"]
            chrf.append(score["score"])
        result.variants[name] = (chrf[0], chrf[1])


def _file_sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file of a bundle."""
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    sizes = {name: int(entry["bytes"]) for name, entry in facts["files"].items()}
    for name in ("bundle.json", "MODEL_CARD.md"):
        if (folder / name).exists():
            sizes[name] = (folder / name).stat().st_size
    return sizes


def _translate_samples(model: Model, options: Sequence[object]) -> str:
    """Translate the sample sentences: the first with its table, then all as lines."""
    sentences = SAMPLE_SENTENCES.get(model.source)
    if sentences is None:
        raise Skipped(f"there are no sentences in {model.source}")
    weights = ["--weights", "alignment"] if "word aligner" in model.weights else []
    drawing = attn("translate", *options, sentences[0], "--align", *weights)
    lines = attn("translate", *options, *sentences).splitlines()
    width = max(map(len, sentences))
    rows = (f"{a:{width}}  {b}\n" for a, b in zip(sentences, lines, strict=True))
    return drawing.rstrip("\n") + "\n\n" + "".join(rows)
