"""What training says while it runs: one frozen value an event. Knows no terminal and no file.

Whoever listens decides what becomes of an event: a line, a panel, a row of log.jsonl.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attn_cli.types import SoftAlignment


@dataclass(frozen=True)
class Phase:
    """A training enters phase `number`, from 1, of `phases`: text, network, graphs."""

    name: str
    number: int
    phases: tuple[str, ...]


@dataclass(frozen=True)
class Activity:
    """Something has begun whose progress is not known: reading the text, learning a vocabulary."""

    name: str


@dataclass(frozen=True)
class DataPrepared:
    """The text has been read and split into pieces."""

    pairs: int
    valid_pairs: int
    source_vocab: int
    target_vocab: int
    seconds: float


@dataclass(frozen=True)
class Notice:
    """Something a person should know: lines left out, a vocabulary made smaller."""

    message: str


@dataclass(frozen=True)
class AlignmentProgress:
    """Statistical aligners are at work on the training text; `done` of it, from 0 to 1.

    `seconds_left` are those until all that was asked for is over, None while that is unknown.
    """

    done: float
    seconds_left: float | None = None


@dataclass(frozen=True)
class AlignmentsReady:
    """The training pairs have word links: how many pairs have any, and how many there are.

    `cached` when they were made before, `seconds` what it took now.
    """

    pairs: int
    links: int
    seconds: float
    cached: bool


@dataclass(frozen=True)
class TrainingStarted:
    """The network stands and its first update is next. `step` is not 0 after a resume."""

    step: int
    max_steps: int
    parameters: int
    device: str
    precision: str
    threads: int  # of each worker
    workers: int = 1


@dataclass(frozen=True)
class Progress:
    """Some updates have been made. loss in nats a target piece, rates over the last interval.

    `guided` is how far attention was from the links, in nats a guided piece (`guided_loss`), None
    where none was guided; `loss` is of the translation alone.
    """

    step: int
    max_steps: int
    epoch: int
    loss: float
    guided: float | None
    learning_rate: float
    tokens_per_second: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class AlignerTrainingProgress:
    """The word aligner has made some updates. loss in nats a word, both ways added."""

    step: int
    max_steps: int
    loss: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class AlignerTrained:
    """The word aligner is ready: precision and recall, in %, of its links against the
    committee's on `pairs` that were kept apart."""

    pairs: int
    precision: float
    recall: float
    seconds: float


@dataclass(frozen=True)
class NonFiniteUpdate:
    """An update was not a number and was left out; `in_a_row` so far."""

    step: int
    in_a_row: int


@dataclass(frozen=True)
class ValidationFinished:
    """The network was tried on the validation pairs: loss in nats a piece, greedy BLEU and chrF."""

    step: int
    loss: float
    bleu: float
    chrf: float
    best: bool
    seconds: float
    sample: SoftAlignment | None = None


@dataclass(frozen=True)
class SentenceTranslated:
    """A sentence of the user's choice as the network translates it now, or its forced `text`."""

    step: int
    source: str
    text: str
    sample: SoftAlignment | None = None


@dataclass(frozen=True)
class CheckpointsAveraged:
    """The best checkpoints were averaged; `kept` when the average validated better."""

    checkpoints: int
    bleu: float
    best_bleu: float
    kept: bool


@dataclass(frozen=True)
class TrainingFinished:
    """Training is over. `reason` is one of: steps, patience, minutes, interrupted."""

    reason: str
    step: int
    bleu: float
    skipped: int
    seconds: float


@dataclass(frozen=True)
class GraphsExported:
    """Graphs for ONNX Runtime have joined the bundle; `difference` from torch in fp32, at most."""

    precision: str
    bytes: int
    difference: float
    seconds: float


@dataclass(frozen=True)
class ConfidenceCalibrated:
    """The model's confidence was fitted to so many validation pairs.

    On them `correlation` is its rank correlation with the chrF of each sentence, and
    `logp_correlation` that of the mean log-probability a piece.
    """

    pairs: int
    correlation: float
    logp_correlation: float
    seconds: float


Preparing = (
    Phase
    | Activity
    | DataPrepared
    | Notice
    | AlignmentProgress
    | AlignmentsReady
    | AlignerTrainingProgress
    | AlignerTrained
)
Ending = CheckpointsAveraged | TrainingFinished | GraphsExported | ConfidenceCalibrated
Training = (
    TrainingStarted | Progress | NonFiniteUpdate | ValidationFinished | SentenceTranslated | Ending
)
Event = Preparing | Training
Listener = Callable[[Event], None]

#: What each event is called in log.jsonl: names on disk, which no renaming of a class changes.
NAMES: dict[type[Event], str] = {
    Phase: "phase",
    Activity: "activity",
    DataPrepared: "prepared",
    Notice: "noticed",
    AlignmentProgress: "linking",
    AlignmentsReady: "linked",
    AlignerTrainingProgress: "headprogress",
    AlignerTrained: "headlearned",
    TrainingStarted: "started",
    Progress: "progress",
    NonFiniteUpdate: "skipped",
    ValidationFinished: "validated",
    SentenceTranslated: "watched",
    CheckpointsAveraged: "averaged",
    TrainingFinished: "finished",
    GraphsExported: "exported",
    ConfidenceCalibrated: "calibrated",
}


def record(event: Event) -> dict[str, Any]:
    """The event as a row of log.jsonl: its name, then its fields; a sample's table is left out."""
    row: dict[str, Any] = {"event": NAMES[type(event)]}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if field.name == "sample":
            continue
        row[field.name] = round(value, 6) if isinstance(value, float) else value
    return row
