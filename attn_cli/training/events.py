"""Events of a training, one frozen dataclass each.

A listener turns an event into a line, a panel or a row of log.jsonl.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attn_cli.types import SoftAlignment


@dataclass(frozen=True)
class Phase:
    """Phase `number`, from 1, of `phases` begins: text, network, graphs."""

    name: str
    number: int
    phases: tuple[str, ...]


@dataclass(frozen=True)
class Activity:
    """A step without measurable progress begins: reading the text, learning a vocabulary."""

    name: str


@dataclass(frozen=True)
class DataPrepared:
    """The text has been read and segmented."""

    pairs: int
    valid_pairs: int
    source_vocab: int
    target_vocab: int
    seconds: float


@dataclass(frozen=True)
class Notice:
    """A message to the user: skipped lines, a reduced vocabulary."""

    message: str


@dataclass(frozen=True)
class AlignmentProgress:
    """Progress of the statistical aligners on the training text: `done`, from 0 to 1.

    `seconds_left` counts to the end of the whole command; None while it is unknown.
    """

    done: float
    seconds_left: float | None = None


@dataclass(frozen=True)
class AlignmentsReady:
    """Word links are ready: `pairs` have at least one, `links` is their total.

    `cached` if they were read from an earlier run; `seconds` is the time taken now.
    """

    pairs: int
    links: int
    seconds: float
    cached: bool


@dataclass(frozen=True)
class TrainingStarted:
    """The network is built; its first update follows. `step` is above 0 after a resume."""

    step: int
    max_steps: int
    parameters: int
    device: str
    precision: str
    threads: int  # of each worker
    workers: int = 1


@dataclass(frozen=True)
class Progress:
    """Progress since the last such event. `loss` in nats per target piece, without `guided`.

    `guided` is the guided loss in nats per guided piece (`guided_loss`), None without guidance.
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
    """Progress of the word aligner. `loss` in nats per word, summed over both directions."""

    step: int
    max_steps: int
    loss: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class AlignerTrained:
    """The word aligner is trained.

    `precision` and `recall`, in %, compare its links with the committee's on `pairs` held-out
    pairs.
    """

    pairs: int
    precision: float
    recall: float
    seconds: float


@dataclass(frozen=True)
class NonFiniteUpdate:
    """An update was skipped: its loss or gradient was NaN or infinite, `in_a_row` times by now."""

    step: int
    in_a_row: int


@dataclass(frozen=True)
class ValidationFinished:
    """Results on the validation pairs: loss in nats per piece, BLEU and chrF of greedy search."""

    step: int
    loss: float
    bleu: float
    chrf: float
    best: bool
    seconds: float
    sample: SoftAlignment | None = None


@dataclass(frozen=True)
class SentenceTranslated:
    """The current translation of the watched sentence, or its forced `text`."""

    step: int
    source: str
    text: str
    sample: SoftAlignment | None = None


@dataclass(frozen=True)
class CheckpointsAveraged:
    """The best checkpoints were averaged; `kept` if the average validated better."""

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
    """ONNX graphs were added to the bundle; `difference` is the largest from torch in fp32."""

    precision: str
    bytes: int
    difference: float
    seconds: float


@dataclass(frozen=True)
class ConfidenceCalibrated:
    """The model's confidence was calibrated on `pairs` validation pairs.

    `correlation` is its rank correlation with the chrF of each sentence, `logp_correlation` that
    of the mean log-probability per piece.
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

#: The name of each event in log.jsonl, independent of the class name.
NAMES: dict[type[Event], str] = {
    Phase: "phase",
    Activity: "activity",
    DataPrepared: "data_prepared",
    Notice: "notice",
    AlignmentProgress: "alignment_progress",
    AlignmentsReady: "alignments_ready",
    AlignerTrainingProgress: "aligner_training_progress",
    AlignerTrained: "aligner_trained",
    TrainingStarted: "training_started",
    Progress: "progress",
    NonFiniteUpdate: "non_finite_update",
    ValidationFinished: "validation_finished",
    SentenceTranslated: "sentence_translated",
    CheckpointsAveraged: "checkpoints_averaged",
    TrainingFinished: "training_finished",
    GraphsExported: "graphs_exported",
    ConfidenceCalibrated: "confidence_calibrated",
}


def record(event: Event) -> dict[str, Any]:
    """Return the event as a row of log.jsonl: its name, then its fields without `sample`."""
    row: dict[str, Any] = {"event": NAMES[type(event)]}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if field.name == "sample":
            continue
        row[field.name] = round(value, 6) if isinstance(value, float) else value
    return row
