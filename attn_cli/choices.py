"""The choices and the bounds of options, for the command line and for what it calls.

Imports nothing but typing: the command line is built from these before numpy is loaded.
"""

from typing import Literal

OutputFormat = Literal[
    "text", "table", "pharaoh", "jsonl", "tsv", "gloss", "gb4e", "html", "svg", "png", "pdf"
]
View = Literal["auto", "table", "compact", "links"]
InputFormat = Literal["text", "jsonl"]
ScoreFormat = Literal["text", "json"]

#: What a matrix holds: the decoder's attention weights, or the word aligner's probabilities.
MatrixKind = Literal["attention", "alignment"]

#: The attention that is shown: the self-attention of a side, or the decoder's to the source.
ShownAttention = Literal["encoder", "decoder", "cross"]

#: What its rows and columns are.
Level = Literal["word", "piece"]

#: In which case a line is read: its own; its own but for first words of sentences and words of
#: titles, in lower case if they have fewer pieces so; lower case but for initials of sentences.
Case = Literal["original", "truecase", "lowercase"]

#: How links are extracted from a matrix.
Extraction = Literal["threshold", "argmax", "mutual", "itermax"]

#: How the links of both directions are combined; `soft` combines matrices.
LinkSymmetrization = Literal[
    "intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and"
]
Symmetrization = Literal[
    "intersection", "union", "grow-diag", "grow-diag-final", "grow-diag-final-and", "soft"
]

#: Which words of a link must be unaligned for grow-diag-final to add it.
Unaligned = Literal["both", "either"]

#: What becomes of the weight that a target word gives to the end of the source or to no word.
UnalignedMass = Literal["keep", "renormalize"]

#: The order of the numbers in a link of a reverse file: target-source or source-target.
LinkOrder = Literal["ts", "st"]

#: The number of the first word in links; auto derives it from them.
IndexBase = Literal["auto", 0, 1]

Device = Literal["auto", "cpu", "cuda", "mps"]
#: What runs networks; auto selects one of them.
EngineName = Literal["onnx", "torch"]
Engine = Literal["auto", EngineName]
ExportFormat = Literal["onnx", "hf"]
Precision = Literal["int8", "fp32"]

#: Upper bounds. Memory grows with the beam; a process gets no faster by thousands of threads.
MAX_BEAM = 1000
MAX_THREADS = 1024
MAX_LENGTH_PENALTY = 10.0
MAX_COVERAGE_PENALTY = 1000.0
