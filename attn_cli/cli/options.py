"""The flags of every command, and the options that several commands share.

Imports nothing heavy.
"""

import functools
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from attn_cli.choices import (
    MAX_BEAM,
    MAX_COVERAGE_PENALTY,
    MAX_LENGTH_PENALTY,
    MAX_THREADS,
    Device,
    Engine,
    Extraction,
    Level,
    MatrixKind,
    ShownAttention,
    Symmetrization,
    UnalignedMass,
    View,
)
from attn_cli.cli.candidates import complete_language, complete_model
from attn_cli.console import Color, Console
from attn_cli.errors import ExitStatus

Function = Callable[..., None]

_FLAGS = {
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Only errors and warnings on stderr.")
    ],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="More messages on stderr.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
}
_COLORS = {
    "color": Annotated[
        Color | None,
        typer.Option("--color", help="When to write colors. [on a terminal, unless $NO_COLOR]"),
    ],
    "no_color": Annotated[bool, typer.Option("--no-color", help="Same as --color never.")],
}


def command(
    function: Function, *, reads_config: bool = True, loads_numpy: bool = False
) -> Function:
    """Add the flags of every command to `function`; they set its console.

    The first parameter of `function` is the context; it does not get the flags. With
    `reads_config`, the defaults of the user's config.toml apply. With `loads_numpy`, numpy is
    loaded before `function` runs, without BLAS threads.
    """
    signature = inspect.signature(function)
    flags = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if name == "color" else False,
            annotation=kind,
        )
        for name, kind in (_FLAGS | _COLORS).items()
    ]

    @functools.wraps(function)
    def run(context: typer.Context, **values: Any) -> None:
        console = console_of(context)
        for name in _FLAGS:
            if values.pop(name):
                setattr(console, name, True)
        color, no_color = (values.pop(name) for name in _COLORS)
        console.color = "never" if no_color else color
        if reads_config:
            from attn_cli.cli.user_config import config_file, load_user_config

            load_user_config(config_file()).apply(console)
        if loads_numpy:
            from attn_cli.cli.numpy_loading import load_numpy

            load_numpy()
        try:
            function(context, **values)
        except BrokenPipeError as error:  # Typer would end quietly, as if it were that of stdout
            raise RuntimeError("a pipe to another process is broken") from error

    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *flags]
    )
    run.__annotations__ = {**function.__annotations__, **_FLAGS, **_COLORS}
    return run


def console_of(context: typer.Context) -> Console:
    """Return the console that `app` passed to the command."""
    console = context.find_root().obj
    assert isinstance(console, Console)
    return console


def show_help(context: typer.Context) -> None:
    """Write the help to stderr and exit with status 2, if no subcommand follows."""
    if context.invoked_subcommand is None:
        console_of(context).raw(context.get_help())
        raise typer.Exit(ExitStatus.USAGE)


def need(*packages: str) -> None:
    """Raise ModuleNotFoundError unless these packages are installed; import none of them."""
    for package in packages:
        try:
            installed = importlib.util.find_spec(package) is not None
        except ValueError:  # imported before, and left without a spec
            installed = False
        if not installed:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Name of a registered model, or a folder. [$ATTN_MODEL]",
        autocompletion=complete_model,
    ),
]
TargetTokenOption = Annotated[
    str | None,
    typer.Option(
        "--target-token",
        metavar="TOKEN",
        help="Target language of an imported model that has several: its token, such as fra for "
        ">>fra<<. [the recipe's]",
    ),
]
ModelArgument = Annotated[
    str,
    typer.Argument(help="Name of a registered model, or a folder.", autocompletion=complete_model),
]
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="LANG",
        autocompletion=complete_language,
        help="Use the registered model that translates into this language, such as fr.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, max=MAX_THREADS, help="CPU threads. [all available]"),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Device for torch.")]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine", help="onnx (exported graphs, no torch), torch, or auto for the available one."
    ),
]
InputOption = Annotated[
    Path | None, typer.Option("--input", "-i", help="Input file; *.gz, or - for stdin.")
]
ViewOption = Annotated[
    View,
    typer.Option(
        "--view",
        help="How a table is drawn: with numbers, as a compact heat map, or a line for each target "
        "word. auto is the first that fits the terminal.",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="K/N",
        help="Process part K of N of the input file; concatenate the outputs in order.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Output file; *.gz, or - for stdout.")
]
ScoresOption = Annotated[
    bool,
    typer.Option(
        "--scores",
        help="Write Pharaoh links with their probability, 0-0:0.93, and text with its confidence.",
    ),
]
ExtractOption = Annotated[
    Extraction,
    typer.Option(
        "--extract",
        help="How links are extracted: weight above a threshold, best of each row, mutual best, "
        "or mutual best repeated.",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0.0,
        max=1.0,
        help="Minimum weight of a link. "
        "[with --extract threshold 0.3, or the word aligner's own; align --fit 0.5; else 0]",
    ),
]
LevelOption = Annotated[
    Level, typer.Option("--level", help="Show words, or the pieces of the vocabulary.")
]
WeightsOption = Annotated[
    MatrixKind | None,
    typer.Option(
        "--weights", help="Show the decoder's attention, or the word aligner's link probabilities."
    ),
]

# Of search

BeamOption = Annotated[
    int | None,
    typer.Option(
        "--beam", "-b", min=1, max=MAX_BEAM, help="Beam size; 1 is greedy search. [recipe's]"
    ),
]
LengthPenaltyOption = Annotated[
    float | None,
    typer.Option("--length-penalty", min=0, max=MAX_LENGTH_PENALTY, help="GNMT's α. [recipe's]"),
]
CoveragePenaltyOption = Annotated[
    float | None,
    typer.Option(
        "--coverage-penalty", min=0, max=MAX_COVERAGE_PENALTY, help="GNMT's β. [recipe's]"
    ),
]
ShortlistOption = Annotated[
    bool,
    typer.Option(
        "--no-shortlist",
        help="Score the whole vocabulary instead of the model's shortlist.",
    ),
]

# Of alignment

TokenizedOption = Annotated[
    bool, typer.Option("--tokenized", help="Input is tokenized: words are separated by spaces.")
]
UnalignedMassOption = Annotated[
    UnalignedMass,
    typer.Option(
        "--unaligned-mass",
        help="Keep the weight of no source word, or renormalize the weights of words to sum to 1.",
    ),
]
ShowOption = Annotated[
    ShownAttention,
    typer.Option(
        "--show",
        help="Show the self-attention of the encoder or decoder, or the cross-attention.",
    ),
]
DiagnosticsOption = Annotated[
    bool,
    typer.Option(
        "--diagnostics",
        help="Add coverage deviation, entropies, unlinked and repeated words to jsonl or tsv.",
    ),
]
ReverseOption = Annotated[
    str | None,
    typer.Option(
        "--reverse",
        help="A model of the other direction; combine both.",
        autocompletion=complete_model,
    ),
]
SymmetrizeOption = Annotated[
    Symmetrization | None,
    typer.Option(
        "--symmetrize",
        help="Method of combination; soft combines matrices, the others links. "
        "[grow-diag-final-and]",
    ),
]
