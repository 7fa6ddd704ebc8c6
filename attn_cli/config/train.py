"""The recipe section of training."""

from dataclasses import dataclass
from typing import Literal

from attn_cli.config.fields import option

#: Values of `train.guided_alignment` that name no file of links.
UNGUIDED, STATISTICAL = "none", "statistical"


@dataclass(frozen=True)
class TrainConfig:
    """Training."""

    max_steps: int = option(
        0,
        "maximum updates, and the end of the learning-rate schedule; 0 for 20 epochs "
        "(3,000 to 30,000 updates), or 8 (at least 40 updates) with --from",
        low=0,
    )
    batch_tokens: int = option(
        2_000, "target pieces in a batch, including padding, summed over all workers", low=1
    )
    accumulate: int = option(
        1,
        "gradient accumulation: parts of a batch computed in sequence, to save memory",
        low=1,
    )
    learning_rate: float = option(2e-3, "the highest learning rate", low=0)
    warmup_steps: int = option(400, "updates of linear warm-up from 0", low=0)
    schedule: Literal["cosine", "linear", "inverse_sqrt", "constant"] = option(
        "cosine", "decay of the learning rate after the warm-up"
    )
    weight_decay: float = option(0.01, "AdamW's decoupled weight decay", low=0)
    clip_norm: float = option(1.0, "maximum gradient norm, 0 for no clipping", low=0)
    aligner_steps: int = option(
        0,
        "updates of the word aligner; 0 for 10 epochs, at most 900 updates or 1.5 epochs, "
        "whichever is more",
        low=0,
    )
    freeze_aligner: bool = option(
        False, "with --from: keep the word aligner of that model unchanged"
    )
    new_vocabulary: bool = option(
        False,
        "with --from: learn a vocabulary from the new text; the embedding of a new piece starts "
        "as the mean of the old pieces that it splits into",
    )
    label_smoothing: float = option(
        0.1, "probability mass spread over all pieces but PAD and BOS", low=0, high=0.9
    )
    sampled_softmax: int = option(
        0,
        "negative samples that an update scores in addition to the pieces of its batch, for speed "
        "with a large vocabulary (Jean et al. 2015); 0 scores the whole vocabulary",
        low=0,
    )
    validate_every: int = option(500, "updates between validations", low=1)
    log_every: int = option(50, "updates between progress events", low=1)
    tensorboard: bool = option(
        False, "write event files for TensorBoard (needs attn-cli[tensorboard])"
    )
    patience: int = option(
        10, "early stopping: validations without a better BLEU, 0 for never", low=0
    )
    average_checkpoints: int = option(
        5, "best checkpoints averaged at the end; 0 or 1 for none", low=0, high=100
    )
    nan_patience: int = option(
        5, "consecutive updates that may give NaN before training fails", low=1
    )
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "auto uses bf16 where the hardware supports it natively"
    )
    compile: bool = option(
        False,
        "compile a Transformer with torch.compile, which takes minutes at the start; on a CPU it "
        "needs a C++ compiler",
    )
    guided_alignment: str = option(
        "none",
        "word links that supervise the attention and the word aligner: none, statistical, or a "
        "file of Pharaoh links with a line for each training pair",
    )
    guided_alignment_weight: float = option(
        1.0,
        "weight of the guided-alignment loss relative to the cross-entropy of a target piece",
        low=0,
    )
    guided_alignment_decay: float = option(
        1.0,
        "share of guided_alignment_weight at the last update, after a linear decay; 1 for none",
        low=0,
        high=1,
    )
    export: Literal["fp32", "int8", "none"] = option(
        "fp32",
        "precision of the exported ONNX graphs, which run without torch; none exports nothing",
    )
    entropy_bonus: float = option(0.002, "hard attention: weight of the entropy bonus", low=0)
    reinforce_weight: float = option(0.05, "hard attention: weight of the REINFORCE loss", low=0)
    aligner: Literal["thot", "eflomal"] = option(
        "thot", "aligner that makes statistical links; eflomal must be installed"
    )
