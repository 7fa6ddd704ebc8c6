"""What `throughput` compares: attn by its engines, Joey NMT and OpenNMT-py.

Knows how each is installed, trained and called; not what is measured of it.
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
from pathlib import Path

from measuring import (
    ATTN,
    DATA,
    MEBI,
    ONE_THREAD,
    ROOT,
    Skipped,
    attn,
    memory,
    present,
    said,
    say,
)

CORPUS = DATA / "multi30k"
TEST = "test_2016_flickr"
OURS = ("int8", "fp32", "torch")
RIVALS = ("joeynmt", "opennmt")

#: What the rivals need. Both are older than this torch and name others, which they do not need.
PACKAGES = (
    *("numpy", "sentencepiece==0.2.0", "sacrebleu", "pyyaml", "six", "tqdm", "packaging"),
    *("tensorboard", "matplotlib", "plotly", "importlib_metadata", "subword-nmt", "sacremoses"),
    *("configargparse", "pyonmttok", "ctranslate2", "pyahocorasick", "rapidfuzz"),
    *("fasttext-wheel", "spacy"),
)
RIVAL_PACKAGES = ("joeynmt==2.3.0", "OpenNMT-py==3.5.1")
VOCABULARY = 8000
BATCH = 64  # sentences that a rival translates at once
PATIENCE = 120.0  # seconds that a rival has to put its network away

#: Their own checkpoints hold more than tensors, which torch refuses by itself.
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
    def read(cls, model: Path, limit: int | None, folder: Path) -> "Lines":
        """In the languages of a model. Raises Skipped where there is no such text or model."""
        facts = json.loads(present(model / "bundle.json").read_text(encoding="utf-8"))
        source, target = facts["source"], facts["target"]
        read = {}
        for language in (source, target):
            path = present(CORPUS / f"{TEST}.{language}.gz")
            with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
                read[language] = list(itertools.islice(lines, limit))
        paths = [folder / f"all.{source}", folder / f"first.{source}", folder / f"all.{target}"]
        for path, part in zip(paths, (read[source], read[source][:1], read[target]), strict=True):
            path.write_text("".join(part), encoding="utf-8")
        return cls(source, target, *paths, len(read[source]))


@dataclass(frozen=True)
class System:
    """Something that translates: how it is run, how its pieces are counted, how large it is."""

    name: str
    version: str
    parameters: int
    command: Callable[[Path, Path, int], Sequence[object]]  # source, output, beam
    pieces: Callable[[Path], int]
    reads_stdin: bool = False
    folder: Path = ROOT  # where it runs; ours are in their bundle
    trained: str = ""


def ours(name: str, model: Path, scratch: Path) -> System:
    """attn with graphs of that precision, or with torch."""
    folder, engine = model, "torch"
    if name != "torch":
        say(f"exporting {name}")
        folder, engine = scratch / name, "onnx"
        copied(model, folder)
        attn("export", folder, "--precision", name)
    options = ("--model", folder, "--engine", engine, "--device", "cpu", "--threads", 1)

    def command(source: Path, output: Path, beam: int) -> Sequence[object]:
        return (*ATTN, "translate", *options, "--beam", beam, "-i", source, "-o", output)

    def pieces(text: Path) -> int:
        return int(said(sys.executable, "-c", _OUR_PIECES, folder, text))

    bundle = json.loads((model / "bundle.json").read_text(encoding="utf-8"))
    parameters = bundle["files"]["model.safetensors"]["bytes"] // 4
    version = f"attn-cli {said(sys.executable, '-c', _VERSION).strip()}"
    return System(name, version, parameters, command, pieces, folder=folder)


def copied(model: Path, folder: Path) -> None:
    """What belongs to a bundle, without its graphs and a training's log and checkpoints."""
    folder.mkdir()
    for path in model.iterdir():
        kept = path.suffix not in (".onnx", ".bin", ".part") and path.name != "log.jsonl"
        if path.is_file() and kept:
            shutil.copyfile(path, folder / path.name)
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    facts["files"] = {
        name: each for name, each in facts["files"].items() if (folder / name).exists()
    }
    (folder / "bundle.json").write_text(json.dumps(facts), encoding="utf-8")


_VERSION = "import attn_cli; print(attn_cli.__version__)"
_OUR_PIECES = """
import sys
from pathlib import Path
from attn_cli.bundle import open_bundle
target = open_bundle(Path(sys.argv[1])).target
lines = Path(sys.argv[2]).read_text(encoding="utf-8").split("\\n")[:-1]
print(sum(len(target.encode(line).ids) for line in lines))
"""


class Rivals:
    """Joey NMT and OpenNMT-py in an environment of their own, and what they learn there.

    They learn on `threads` threads, in batches of 64 sentences or of `tokens` target pieces; with
    several threads one after the other.
    """

    def __init__(
        self,
        folder: Path,
        lines: Lines,
        *,
        work: str = "",
        threads: int = 1,
        tokens: int | None = None,
        vocabulary: int = VOCABULARY,
    ) -> None:
        self.folder, self.lines = folder, lines
        self.threads, self.tokens, self.vocabulary = threads, tokens, vocabulary
        self.python = folder / "env" / "bin" / "python"
        self.work = folder / f"{lines.source}-{lines.target}" / work
        self.spm = self.work / "joint.model"

    def install(self) -> None:
        """Make the environment unless it is there. Raises Skipped where that fails."""
        if not self.python.exists():
            say(f"making {self.folder / 'env'}")
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
            said(sys.executable, "-m", "venv", self.folder / "env")
        try:
            said(self.python, "-c", "import joeynmt.prediction, onmt.bin.translate")
        except Skipped:
            say("installing the rivals")
            pip = (self.python, "-m", "pip", "install", "--quiet")
            said(*pip, f"torch=={said(sys.executable, '-c', _TORCH).strip()}", *PACKAGES)
            said(*pip, "--no-deps", *RIVAL_PACKAGES)

    def train(self, names: Sequence[str], minutes: float) -> None:
        """Train those that have learnt for less than that, side by side where there are cores."""
        self.work.mkdir(parents=True, exist_ok=True)
        missing = [name for name in names if self._minutes(name) < minutes]
        if not missing:
            return
        self._prepare()
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else [0]
        if self.threads > 1:
            cores = cores[:1]  # of which only their number counts
        for first in range(0, len(missing), len(cores)):
            together = missing[first : first + len(cores)]
            say(f"training {' and '.join(together)} for {minutes:g} minutes")
            self._train(together, cores, minutes)

    def system(self, name: str) -> System:
        """A rival that has been trained."""
        version = said(self.python, "-c", _RIVAL_VERSION, RIVAL_PACKAGES[RIVALS.index(name)])
        command = self._joeynmt if name == "joeynmt" else self._opennmt
        counted = "number of parameters: " if name == "opennmt" else "Total params: "
        log = (self.work / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        parameters = int(log.partition(counted)[2].split()[0])
        trained = f"trained for {self._minutes(name):g} minutes"

        def pieces(text: Path) -> int:
            return int(said(self.python, "-c", _THEIR_PIECES, self.spm, text))

        return System(
            *(name, version.strip(), parameters, command, pieces),
            reads_stdin=name == "joeynmt",
            folder=self.work,
            trained=trained,
        )

    def mebibytes(self, name: str) -> float:
        """What a rival held when it was stopped."""
        return float((self.work / f"{name}.mebibytes").read_text())

    def _minutes(self, name: str) -> float:
        """How long a rival has learnt."""
        path = self.work / f"{name}.minutes"
        return float(path.read_text()) if path.is_file() else 0.0

    def _prepare(self) -> None:
        """The text, the vocabulary and the recipes."""
        for language in (self.lines.source, self.lines.target):
            for part in ("train", "val"):
                with gzip.open(present(CORPUS / f"{part}.{language}.gz"), "rb") as lines:
                    (self.work / f"{part}.{language}").write_bytes(lines.read())
        if not self.spm.is_file():
            say("training the rivals' vocabulary")
            texts = [self.work / f"train.{ln}" for ln in (self.lines.source, self.lines.target)]
            said(self.python, "-c", _VOCABULARY, self.work / "joint", self.vocabulary, *texts)
        self._recipe("opennmt.yaml", "opennmt.yaml")
        self._recipe("joeynmt.yaml", "joeynmt.1.yaml", beam=1)

    def _recipe(self, name: str, out: str, *, beam: int = 1) -> None:
        """One of the recipes beside the benchmarks, with what stands in its braces filled in."""
        text = (ROOT / "benchmarks" / name).read_text(encoding="utf-8")
        given = {"source": self.lines.source, "target": self.lines.target, "beam": str(beam)}
        given["batch_size"] = str(self.tokens or BATCH)
        kinds = ("token", "tokens") if self.tokens else ("sentence", "sents")
        given |= dict(zip(("joeynmt_batches", "opennmt_batches"), kinds, strict=True))
        for key, value in given.items():
            text = text.replace(f"{{{key}}}", value)
        (self.work / out).write_text(text, encoding="utf-8")

    def _train(self, names: Sequence[str], cores: Sequence[int], minutes: float) -> None:
        commands = {
            "joeynmt": ("-m", "joeynmt", "train", "joeynmt.1.yaml", "--skip-test"),
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
        try:
            _wait(60 * minutes, [process for _, process in running])
            for name, process in running:
                self._stop(name, process, minutes)
        finally:
            for _, process in running:
                process.kill()
                process.wait()

    def _stop(self, name: str, process: "subprocess.Popen[bytes]", minutes: float) -> None:
        """Interrupt a rival, which keeps what it has learnt. Raises Skipped where it has not."""
        held = memory([process.pid]) / MEBI
        (self.work / f"{name}.mebibytes").write_text(f"{held:.0f}")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        if not (name == "joeynmt" or self._saved()) or not any((self.work / name).glob("*.*pt")):
            raise Skipped(f"{name} has kept nothing: see {self.work / name}.log")
        (self.work / f"{name}.minutes").write_text(f"{minutes:g}")

    def _saved(self) -> Path | None:
        """OpenNMT-py's last network that was written to its end."""
        found = sorted((self.work / "opennmt").glob("model_step_*.pt"), key=_written)
        whole = [path for path in found if path.stat().st_size >= found[0].stat().st_size]
        return whole[-1] if whole else None

    def _joeynmt(self, source: Path, output: Path, beam: int) -> Sequence[object]:
        """Reads stdin and writes stdout, since its own -o fails on text that is piped in."""
        self._recipe("joeynmt.yaml", f"joeynmt.{beam}.yaml", beam=beam)
        return (self.python, "-m", "joeynmt", "translate", f"joeynmt.{beam}.yaml")

    def _opennmt(self, source: Path, output: Path, beam: int) -> Sequence[object]:
        pieces = ("-transforms", "sentencepiece", "-src_subword_model", self.spm)
        pieces += ("-tgt_subword_model", self.spm)
        batches = ("-batch_type", "sents", "-batch_size", BATCH, "-gpu", -1)
        texts = ("-model", self._saved(), "-src", source, "-output", output)
        return (
            *(self.python, "-m", "onmt.bin.translate", *texts),
            *("-beam_size", beam, *batches, *pieces),
        )


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


def _wait(seconds: float, processes: "Sequence[subprocess.Popen[bytes]]") -> None:
    """Until the time is over, or all have ended by themselves."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(process.poll() is None for process in processes):
        time.sleep(1)


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
_THEIR_PIECES = """
import sys, sentencepiece
model = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
lines = open(sys.argv[2], encoding="utf-8", newline="\\n")
print(sum(1 + len(model.encode(line.rstrip("\\n"))) for line in lines))
"""
