"""`attn align --fit`: fit an aligner to the input pairs, then align them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attn_cli.cli.align_options import AlignOptions
from attn_cli.cli.input import language_of, open_input, open_parallel_input, warning_callback
from attn_cli.console import Console
from attn_cli.errors import DataError, UsageError
from attn_cli.inference.linkers import VoteInterpolatedAligner
from attn_cli.types import InputLine

if TYPE_CHECKING:
    from attn_cli.data.corpus import Corpus
    from attn_cli.data.word_rules import WordRules


@dataclass(frozen=True)
class Bitext:
    """Pairs that can be read twice: from two parallel files, or from one."""

    console: Console
    source: Path
    target: Path | None
    tokenized: bool

    def corpus(self, rules: "tuple[WordRules, WordRules]") -> "Corpus":
        """The pairs to learn from, split by the rules of each side. Raises DataError if there is
        none, or a line is no pair."""
        from attn_cli.data.corpus_reader import (
            MISSING_SEPARATOR,
            CorpusOptions,
            read_pairs,
            read_parallel,
        )

        options, stdin = CorpusOptions(self.tokenized, rules=rules), self.console.stdin
        if self.target is not None:
            return read_parallel(self.source, self.target, options, stdin=stdin)[0]
        corpus, report = read_pairs(self.source, options, stdin=stdin)
        for finding in report.skipped:
            if finding.reason == MISSING_SEPARATOR:
                raise DataError(
                    f"{report.name} line {finding.lines[0]} has {MISSING_SEPARATOR}",
                    "Write source<TAB>target on each line.",
                )
        return corpus

    def chunks(self) -> AbstractContextManager[Iterator[list[InputLine]]]:
        """Open all lines, chunk by chunk, in order."""
        if self.target is not None:
            return open_parallel_input(self.console, self.source, self.target)
        if str(self.source) == "-":
            self.console.stdin.seek(0)
        return open_input(self.console, [], self.source, "text", pairs=True)


@contextmanager
def rereadable_pairs(console: Console, options: AlignOptions) -> Iterator[Bitext]:
    """Yield the pairs of the options; standard input is copied to a temporary file.

    Raises UsageError if another input cannot be read twice, DataError if the disk is full.
    """
    for file in filter(None, (options.source, options.target, options.input)):
        if _is_pipe(file) or (str(file) == "-" and options.source is not None):
            raise UsageError(
                f"--fit reads its text twice, and {file} can be read only once",
                "Name files, or pipe in lines of source<TAB>target.",
            )
    path = options.source or options.input or Path("-")
    with ExitStack() as stack:
        if str(path) == "-":
            console = stack.enter_context(_with_stdin_in_file(console))
        yield Bitext(console, path, options.target, options.tokenized)


def _is_pipe(path: Path) -> bool:
    """Whether the path is a pipe, such as a shell's <(command)."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


@contextmanager
def _with_stdin_in_file(console: Console) -> Iterator[Console]:
    """Yield the console with its standard input copied to a temporary file."""
    if console.stdin_is_terminal:
        console.info("attn: reading lines from the terminal; ^D ends them")
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile(prefix="attn-"))
            shutil.copyfileobj(console.stdin, copy)
            copy.seek(0)
        except OSError as error:
            raise DataError(
                f"cannot copy standard input to a temporary file: {error.strerror}",
                "Name files instead: --source and --target.",
            ) from error
        yield replace(console, stdin=copy, stdin_is_live=False, stdin_is_terminal=False)


@dataclass(frozen=True)
class FittedAligner:
    """An aligner fitted to a text, its name and languages, and the minimum weight of its links."""

    aligner: VoteInterpolatedAligner
    name: str
    languages: tuple[str, str]
    threshold: float


@contextmanager
def fit_aligner(text: Bitext, options: AlignOptions, *, tables: bool) -> Iterator[FittedAligner]:
    """Yield an aligner fitted to `text`, whose bundle is in --out.

    Without `tables` it only links, by the votes of the fit. Raises typer.Exit when interrupted.
    """
    from attn_cli.alignment.statistical import QUICK_COMMITTEE
    from attn_cli.api.fitting import default_threshold, vote_aligner
    from attn_cli.cli.interruption import StopRequest
    from attn_cli.cli.output_folder import make_folder
    from attn_cli.cli.progress import LEAVING, SAVING, report_progress
    from attn_cli.data.word_rules import recipe_rules
    from attn_cli.files.folder_lock import lock_folder
    from attn_cli.training.unsupervised_alignment import UNFINISHED, aligner_recipe, fit

    languages = ("", "")
    if text.target is not None:
        languages = language_of(text.source), language_of(text.target)
    named = options.out.name if options.out else ""
    name = named or "-".join(filter(None, languages)) or "aligner"
    with ExitStack() as stack:
        folder = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_folder(folder)
        stopping = SAVING if options.out else LEAVING
        anew = not (folder / UNFINISHED).exists()
        stack.enter_context(lock_folder(folder))
        with (
            report_progress(text.console, folder, name, anew=anew, stopping=stopping) as watching,
            StopRequest(watching.stopping) as interruption,
        ):
            recipe = aligner_recipe(name, *languages, seed=options.seed)
            fitted = fit(
                recipe,
                text.corpus(recipe_rules(recipe)),
                folder,
                device=options.device,
                threads=options.threads,
                emit=watching.listen,
                interrupted=interruption.is_set,
                members=QUICK_COMMITTEE if options.quick else None,
                train_aligner=options.out is not None,
                force=options.force,
            )
        if fitted is None:
            if options.out is not None:
                text.console.info("attn: run the same command again to continue")
            raise typer.Exit(interruption.status)
        if options.out is not None:
            saved = f"the model is in {options.out}; try: attn align -m {options.out}"
            unsaved = f"no model was saved in {options.out}: votes apply to these pairs only"
            text.console.info(f"attn: {saved if fitted.word_aligner else unsaved}")
        aligner = vote_aligner(
            fitted,
            tokenized=text.tokenized,
            tables=tables,
            on_problem=warning_callback(text.console),
        )
        threshold = default_threshold(len(fitted.corpus), quick=options.quick)
        yield FittedAligner(aligner, name, languages, threshold)
