"""The systems that `throughput` and `training` compare: attn's engines, Joey NMT and OpenNMT-py.

The module installs, trains and runs them.
"""

import gzip
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from measuring import (
    ATTN,
    DATA,
    MEBI,
    ONE_THREAD,
    ROOT,
    Cost,
    Skipped,
    attn,
    cost_of,
    memory,
    output_of,
    require_file,
    say,
)

CORPUS = DATA / "multi30k"
TEST = "test_2016_flickr"
ATTN_SYSTEMS = ("int8", "fp32", "torch")
RIVALS = ("joeynmt", "opennmt")

#: The packages of the other programs. Both require older packages than this torch without need.
PACKAGES = (
    *("numpy", "sentencepiece==0.2.0", "sacrebleu", "pyyaml", "six", "tqdm", "packaging"),
    *("tensorboard", "matplotlib", "plotly", "importlib_metadata", "subword-nmt", "sacremoses"),
    *("configargparse", "pyonmttok", "ctranslate2", "pyahocorasick", "rapidfuzz"),
    *("fasttext-wheel", "spacy"),
)
RIVAL_PACKAGES = ("joeynmt==2.3.0", "OpenNMT-py==3.5.1")
VOCABULARY = 8000
BATCH = 64  # sentences in a batch of the other programs
PATIENCE = 120.0  # seconds until a program must have saved its network

#: Their checkpoints contain more than tensors, which torch refuses by default.
TRUSTING = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Lines:
    """The text: its languages, the file of sources, that of its first line, and the reference."""

    source: str
    target: str
    all: Path
    first: Path
    reference: Path
    count: int

    @classmethod
    def of_model(cls, model: Path, limit: int | None, folder: Path) -> "Lines":
        """Return the text in the languages of a model. Raises Skipped without such a text or
        model."""
        facts = json.loads(require_file(model / "bundle.json").read_text(encoding="utf-8"))
        return cls.read(CORPUS, (facts["source"], facts["target"]), limit, folder)

    @classmethod
    def read(
        cls, corpus: Path, languages: tuple[str, str], limit: int | None, folder: Path
    ) -> "Lines":
        """Write the test text of a corpus, at most `limit` lines, into a folder.

        Raises Skipped if it is missing.
        """
        source, target = languages
        texts = {}
        for language in languages:
            path = require_file(corpus / f"{TEST}.{language}.gz")
            with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
                texts[language] = list(itertools.islice(lines, limit))
        paths = [folder / f"all.{source}", folder / f"first.{source}", folder / f"all.{target}"]
        for path, part in zip(
            paths, (texts[source], texts[source][:1], texts[target]), strict=True
        ):
            path.write_text("".join(part), encoding="utf-8")
        return cls(source, target, *paths, len(texts[source]))


def bleu(reference: Path, output: Path) -> dict[str, Any]:
    """Return "score" and "signature" of `attn score` for a translation."""
    output_json = attn("score", "--reference", reference, "--format", "json", output)
    score: dict[str, Any] = json.loads(output_json)["bleu"]
    return score


@dataclass(frozen=True)
class System:
    """A system that translates: its command, how its pieces are counted, its size."""

    name: str
    version: str
    parameters: int
    command: Callable[[Path, Path, int], Sequence[object]]  # source, output, beam
    pieces: Callable[[Path], int]
    reads_stdin: bool = False
    folder: Path = ROOT  # the working folder; bundles have their own
    trained: str = ""

    def translate(self, source: Path, output: Path, beam: int, *, threads: int) -> Cost:
        """Translate a file; return the cost. Raises Skipped if it fails."""
        return cost_of(
            self.command(source, output, beam),
            stdin=source if self.reads_stdin else None,
            stdout=output if self.reads_stdin else None,
            folder=self.folder,
            environment={
                **dict.fromkeys(ONE_THREAD, str(threads)),
                **(TRUSTING if self.name in RIVALS else {}),
            },
        )


def attn_system(name: str, model: Path, scratch: Path, *, shortlist: bool = True) -> System:
    """Return attn with graphs of that precision, or with torch; without `shortlist` with all
    pieces."""
    folder, engine = model, "torch"
    if name != "torch":
        say(f"exporting {name}")
        folder, engine = scratch / name, "onnx"
        copy_bundle(model, folder, shortlist=shortlist)
        attn("export", folder, "--precision", name)
    options = ("--model", folder, "--engine", engine, "--device", "cpu", "--threads", 1)
    if not shortlist:
        options += ("--no-shortlist",)

    def command(source: Path, output: Path, beam: int) -> Sequence[object]:
        return (*ATTN, "translate", *options, "--beam", beam, "-i", source, "-o", output)

    def pieces(text: Path) -> int:
        return int(output_of(sys.executable, "-c", _ATTN_PIECES, folder, text))

    bundle = json.loads((model / "bundle.json").read_text(encoding="utf-8"))
    parameters = bundle["files"]["model.safetensors"]["bytes"] // 4
    version = f"attn-cli {output_of(sys.executable, '-c', _VERSION).strip()}"
    return System(name, version, parameters, command, pieces, folder=folder)


def copy_bundle(model: Path, folder: Path, *, shortlist: bool = True) -> None:
    """Copy a bundle without its graphs and without a training's log and checkpoints."""
    folder.mkdir()
    excluded = {"graphs.bin", "log.jsonl", *([] if shortlist else ["shortlist.bin"])}
    for path in model.iterdir():
        is_copied = path.suffix not in (".onnx", ".part") and path.name not in excluded
        if path.is_file() and is_copied:
            shutil.copyfile(path, folder / path.name)
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    facts["files"] = {
        name: each for name, each in facts["files"].items() if (folder / name).exists()
    }
    (folder / "bundle.json").write_text(json.dumps(facts), encoding="utf-8")


_VERSION = "import attn_cli; print(attn_cli.__version__)"
_ATTN_PIECES = """
import sys
from pathlib import Path
from attn_cli.bundles.bundle import open_bundle
target = open_bundle(Path(sys.argv[1])).target
lines = Path(sys.argv[2]).read_text(encoding="utf-8").split("\\n")[:-1]
print(sum(len(target.encode(line).ids) for line in lines))
"""


class Rivals:
    """Joey NMT and OpenNMT-py in an environment of their own, with their trained networks.

    They learn from `corpus` on `threads` threads, in batches of 64 sentences or of `tokens` target
    pieces; with several threads one after the other.
    """

    def __init__(
        self,
        folder: Path,
        lines: Lines,
        *,
        corpus: Path = CORPUS,
        work: str = "",
        threads: int = 1,
        tokens: int | None = None,
        vocabulary: int = VOCABULARY,
    ) -> None:
        self.folder, self.lines, self.corpus = folder, lines, corpus
        self.threads, self.tokens, self.vocabulary = threads, tokens, vocabulary
        self.python = folder / "env" / "bin" / "python"
        self.work = folder / f"{lines.source}-{lines.target}" / work
        self.spm = self.work / "joint.model"

    def install(self) -> None:
        """Make the environment unless it exists. Raises Skipped if that fails."""
        if not self.python.exists():
            say(f"making {self.folder / 'env'}")
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
            output_of(sys.executable, "-m", "venv", self.folder / "env")
        try:
            output_of(self.python, "-c", "import joeynmt.prediction, onmt.bin.translate")
        except Skipped:
            say("installing the rivals")
            pip = (self.python, "-m", "pip", "install", "--quiet")
            output_of(*pip, f"torch=={output_of(sys.executable, '-c', _TORCH).strip()}", *PACKAGES)
            output_of(*pip, "--no-deps", *RIVAL_PACKAGES)

    def train(self, names: Sequence[str], limits: Sequence[float]) -> None:
        """Train each once for the longest of `limits`, in minutes, and store its network at each
        limit.

        Those that have all networks are not trained again. They run at the same time if there are
        enough cores.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        missing = [
            name for name in names if not all(self.checkpoint(name, m).is_file() for m in limits)
        ]
        if not missing:
            return
        self._prepare()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else [0]
        if self.threads > 1:
            cores = cores[:1]  # of which only their number counts
        for first in range(0, len(missing), len(cores)):
            together = missing[first : first + len(cores)]
            say(f"training {' and '.join(together)} for {max(limits):g} minutes")
            self._train(together, cores, sorted(limits))

    def delete_trained(self, name: str) -> None:
        """Delete what a program has learned, so that it is trained again."""
        for path in self.work.glob(f"{name}-*.checkpoint"):
            path.unlink()

    def system(self, name: str, minutes: float) -> System:
        """Return a program as it was after `minutes` of training. Raises Skipped if it is not
        stored."""
        version = output_of(self.python, "-c", _RIVAL_VERSION, RIVAL_PACKAGES[RIVALS.index(name)])
        command = self._translate_joeynmt if name == "joeynmt" else self._translate_opennmt
        checkpoint = require_file(self.checkpoint(name, minutes))
        label = "number of parameters: " if name == "opennmt" else "Total params: "
        log = (self.work / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        parameters = int(log.partition(label)[2].split()[0])

        def pieces(text: Path) -> int:
            return int(output_of(self.python, "-c", _RIVAL_PIECES, self.spm, text))

        return System(
            *(name, version.strip(), parameters, partial(command, checkpoint), pieces),
            reads_stdin=name == "joeynmt",
            folder=self.work,
            trained=f"trained for {minutes:g} minutes",
        )

    def checkpoint(self, name: str, minutes: float) -> Path:
        """Return the path of a program's network after `minutes`."""
        return self.work / f"{name}-{minutes:g}.checkpoint"

    def rates(self, name: str) -> list[float]:
        """Return the target pieces per second of a program's log."""
        log = (self.work / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return [rate for line in log.splitlines() for rate in _RATES[name](line)]

    def mebibytes(self, name: str) -> float:
        """Return the memory of a program when it was stopped."""
        return float((self.work / f"{name}.mebibytes").read_text())

    def _prepare(self) -> None:
        """Write the text, the vocabulary and the recipes."""
        for language in (self.lines.source, self.lines.target):
            for part in ("train", "val"):
                with gzip.open(require_file(self.corpus / f"{part}.{language}.gz"), "rb") as lines:
                    (self.work / f"{part}.{language}").write_bytes(lines.read())
        if not self.spm.is_file():
            say("training the rivals' vocabulary")
            texts = [self.work / f"train.{ln}" for ln in (self.lines.source, self.lines.target)]
            output_of(self.python, "-c", _VOCABULARY, self.work / "joint", self.vocabulary, *texts)
        self._recipe("opennmt.yaml", "opennmt.yaml")
        self._recipe("joeynmt.yaml", "joeynmt.1.yaml", beam=1)

    def _recipe(
        self, name: str, out: str, *, beam: int = 1, checkpoint: Path | None = None
    ) -> None:
        """Return one of the recipes in this folder's parent, with the values of its braces."""
        text = (ROOT / "benchmarks" / name).read_text(encoding="utf-8")
        values = {"source": self.lines.source, "target": self.lines.target, "beam": str(beam)}
        values["checkpoint"] = "null" if checkpoint is None else json.dumps(str(checkpoint))
        values["batch_size"] = str(self.tokens or BATCH)
        kinds = ("token", "tokens") if self.tokens else ("sentence", "sents")
        values |= dict(zip(("joeynmt_batches", "opennmt_batches"), kinds, strict=True))
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        (self.work / out).write_text(text, encoding="utf-8")

    def _train(self, names: Sequence[str], cores: Sequence[int], limits: Sequence[float]) -> None:
        commands = {
            "joeynmt": ("-c", _JOEYNMT, "train", "joeynmt.1.yaml", "--skip-test"),
            "opennmt": ("-m", "onmt.bin.train", "-config", "opennmt.yaml"),
        }
        running = []
        threads = dict.fromkeys(ONE_THREAD, str(self.threads))
        for name, core in zip(names, cores, strict=False):
            shutil.rmtree(self.work / name, ignore_errors=True)
            with open(self.work / f"{name}.log", "wb") as log:
                process = subprocess.Popen(
                    [str(self.python), *commands[name]],
                    cwd=self.work,
                    env={**os.environ, **threads, **TRUSTING},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            if self.threads == 1 and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(process.pid, {core})
            running.append((name, process))
        began = time.monotonic()
        try:
            for minutes in limits:
                _wait(began + 60 * minutes, [process for _, process in running])
                for name, process in running:
                    self._keep(name, process, minutes)
        finally:
            for _, process in running:
                process.kill()
                process.wait()

    def _keep(self, name: str, process: "subprocess.Popen[bytes]", minutes: float) -> None:
        """Store a program's current network, if it has one."""
        (self.work / f"{name}.mebibytes").write_text(f"{memory([process.pid]) / MEBI:.0f}")
        network = self._save_joeynmt(process) if name == "joeynmt" else self._saved_opennmt()
        if network is None:
            say(f"{name} has no network after {minutes:g} minutes: see {self.work / name}.log")
            return
        part = self.work / f"{name}.part"
        shutil.copyfile(network, part)
        part.replace(self.checkpoint(name, minutes))

    def _save_joeynmt(self, process: "subprocess.Popen[bytes]") -> Path | None:
        """Let it save its network, which it does between two updates or within one."""
        log = (self.work / "joeynmt.log").read_text(encoding="utf-8", errors="replace")
        if process.poll() is not None or "EPOCH" not in log:  # before that a signal would kill it
            return None
        latest = self.work / "joeynmt" / "latest.ckpt"  # a link, made when the file is complete
        before = _written(latest)
        process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + PATIENCE
        while _written(latest) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        return None if _written(latest) == before else latest

    def _saved_opennmt(self) -> Path | None:
        """Return the last network that it has written completely."""
        checkpoints = sorted((self.work / "opennmt").glob("model_step_*.pt"), key=_written)
        complete = [
            path for path in checkpoints if path.stat().st_size >= checkpoints[0].stat().st_size
        ]
        return complete[-1] if complete else None

    def _translate_joeynmt(
        self, checkpoint: Path, source: Path, output: Path, beam: int
    ) -> Sequence[object]:
        """Translate from stdin to stdout, since its own -o fails with piped text."""
        recipe = f"joeynmt.{beam}.yaml"
        self._recipe("joeynmt.yaml", recipe, beam=beam, checkpoint=checkpoint)
        return (self.python, "-m", "joeynmt", "translate", recipe)

    def _translate_opennmt(
        self, checkpoint: Path, source: Path, output: Path, beam: int
    ) -> Sequence[object]:
        pieces = ("-transforms", "sentencepiece", "-src_subword_model", self.spm)
        pieces += ("-tgt_subword_model", self.spm)
        batches = ("-batch_type", "sents", "-batch_size", BATCH, "-gpu", -1)
        texts = ("-model", checkpoint, "-src", source, "-output", output)
        return (
            *(self.python, "-m", "onmt.bin.translate", *texts),
            *("-beam_size", beam, *batches, *pieces),
        )


def _written(path: Path) -> int:
    """Return the time when a file or a link was written; 0 if it is missing."""
    return path.lstat().st_mtime_ns if path.is_symlink() or path.exists() else 0


def _wait(end: float, processes: "Sequence[subprocess.Popen[bytes]]") -> None:
    """Wait until that time, or until all have ended."""
    while (remaining := end - time.monotonic()) > 0 and any(p.poll() is None for p in processes):
        time.sleep(min(1.0, remaining))


def _rates_joeynmt(line: str) -> list[float]:
    """`… Tokens per Sec:     1340, Lr: …`."""
    _, separator, rest = line.partition("Tokens per Sec:")
    return [float(rest.split(",")[0])] if separator else []


def _rates_opennmt(line: str) -> list[float]:
    """`…; 1021/ 930 tok/s; …`: of the source and of the target."""
    before, separator, _ = line.partition(" tok/s")
    return [float(before.rpartition("/")[2])] if separator else []


_RATES: dict[str, Callable[[str], list[float]]] = {
    "joeynmt": _rates_joeynmt,
    "opennmt": _rates_opennmt,
}

#: Joey NMT's command, changed to save its network on SIGUSR1: by default it saves only after a
#: validation, or on an interrupt, which ends it.
_JOEYNMT = """
import signal
from joeynmt.__main__ import main
from joeynmt.training import TrainManager
trainers, begin = [], TrainManager.__init__
def remember(self, *given, **named):
    begin(self, *given, **named)
    trainers.append(self)
def save(*_):
    for trainer in trainers:
        trainer._save_checkpoint(False, float("nan"))
TrainManager.__init__ = remember
signal.signal(signal.SIGUSR1, save)
main()
"""
_TORCH = "import torch; print(torch.__version__.split('+')[0])"
_RIVAL_VERSION = """
import sys, importlib.metadata as m
name = sys.argv[1].split("==")[0]
print(name, m.version(name))
"""
_VOCABULARY = """
import sys, sentencepiece
prefix, size, *texts = sys.argv[1:]
sentencepiece.SentencePieceTrainer.train(
    input=texts, model_prefix=prefix, vocab_size=int(size), character_coverage=1.0,
    unk_id=0, pad_id=1, bos_id=2, eos_id=3, num_threads=1, minloglevel=2,
)
model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
pieces = [model.id_to_piece(id) for id in range(4, len(model))]
open(prefix + ".txt", "w", encoding="utf-8").writelines(piece + "\\n" for piece in pieces)
open(prefix + ".vocab", "w", encoding="utf-8").writelines(piece + "\\t1\\n" for piece in pieces)
"""
_RIVAL_PIECES = """
import sys, sentencepiece
model = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
lines = open(sys.argv[2], encoding="utf-8", newline="\\n")
print(sum(1 + len(model.encode(line.rstrip("\\n"))) for line in lines))
"""
