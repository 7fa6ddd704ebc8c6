"""A batch from its files to its outputs: what is left to do, the results as they come, progress."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from attn_cli.cli.batching import cluster
from attn_cli.cli.batching.files import InputFile, find_files, records_of, total_size
from attn_cli.cli.batching.folder import OutputFolder, open_folder
from attn_cli.cli.batching.work import Task
from attn_cli.console import Console
from attn_cli.errors import AttnError, ClusterError, DataError
from attn_cli.render.progress import Progress, bar, duration, plain


def run_batch(
    console: Console,
    task: Task,
    inputs: Sequence[str],
    output: Path,
    *,
    address: str | None,
    workers: int | None,
    force: bool,
) -> None:
    """Make the outputs of all inputs that are not finished.

    Raises DataError, when all else is done, where an input cannot be read; ModelError, UsageError
    and ClusterError before anything is done or where it cannot go on.
    """
    files = find_files(inputs, output)
    digests = task.digests()
    for kind in sorted({file.kind for file in files}):
        task.open(console, kind)  # what is wrong with the model or an option shows here
    with open_folder(output, task.job(), force=force) as folder:
        pending = list(_pending(console, folder, files, force=force))
        finished = len(files) - len(pending)
        if finished:
            console.info(f"{finished:,} of {len(files):,} files are finished already")
        if not pending:
            return
        with (
            console.divert(folder.log),
            _advice(console, folder),
            cluster.cluster(address, workers or console.cores) as cores,
        ):
            count = workers or cores
            console.info(f"{counted(len(pending), 'file')}, {counted(count, 'worker')}")
            with _progress(console, pending) as progress:
                job = _Job(console, task, folder, pending, progress)
                known = {file.name: folder.keys(file) for file in pending}
                with closing(
                    cluster.run(task, pending, known, digests=digests, workers=count)
                ) as results:
                    job.take(results)
        job.report()


def _pending(
    console: Console, folder: OutputFolder, files: Iterable[InputFile], *, force: bool
) -> Iterator[InputFile]:
    """The files that are not finished, with a line on each that changed since it was."""
    for file in files:
        done = folder.finished(file)
        if done is None:
            if not force:
                folder.check_foreign(file)
            yield file
            continue
        if (done.size, done.modified) != (file.size, file.modified):
            if file.size != done.size or file.digest() != done.digest:
                console.info(
                    f"{file.path} has changed since its output was written: it is processed again"
                )
                yield file
                continue
            folder.confirm(file, done)
        folder.remove_parts(file)  # where a driver died between its output and this


@contextmanager
def _advice(console: Console, folder: OutputFolder) -> Iterator[None]:
    """Says how to go on where a signal ends the block, and where Ray's log is where Ray does."""
    try:
        yield
    except ClusterError as error:
        raise ClusterError(error.problem, f"{error.hint} Ray's log: {folder.log}") from error
    except Exception:
        raise
    except BaseException:
        console.info("stopped; run the same command again to continue")
        raise


@contextmanager
def _progress(console: Console, files: Sequence[InputFile]) -> Iterator[Progress]:
    if console.stderr_is_terminal and not console.quiet:
        with bar(console.rich(stderr=True)) as show:
            yield Progress(total_size(files), show)
    else:
        yield Progress(total_size(files), plain(console.info))


@dataclass
class _Job:
    """The files in work: which results are there, which are missing, what went wrong."""

    console: Console
    task: Task
    folder: OutputFolder
    files: Sequence[InputFile]
    progress: Progress
    _there: dict[int, set[str]] = field(default_factory=dict)
    _ends: dict[int, cluster.Result] = field(default_factory=dict)
    _errors: dict[int, AttnError] = field(default_factory=dict)
    _records: int = 0

    def take(self, results: Iterable[cluster.Result]) -> None:
        """Keep each result, and join a file's when all are there."""
        for number, file in enumerate(self.files):
            self._there[number] = set(self.folder.keys(file))
        for result in results:
            self._take(result)

    def _take(self, result: cluster.Result) -> None:
        file, number = self.files[result.file], result.file
        if result.error is not None:
            self._fail(number, result.error)
        elif result.keys is not None:
            self._ends[number] = result
        else:
            self.folder.add(file, result.key, result.payload)
            self._there[number].add(result.key)
            for note in result.notes:
                self.console.warn(f"{file.path}: {note}")
        records = records_of(result.key) if result.key else 0
        self.progress.add(read=result.read, known=result.skipped, records=records)
        self._finish(number)

    def _finish(self, number: int) -> None:
        end = self._ends.get(number)
        if end is None or end.keys is None or not self._there[number].issuperset(end.keys):
            return
        del self._ends[number]
        file = self.files[number]
        try:
            records = self.folder.finish(file, self.task.columns, end.keys, end.digest)
        except DataError as error:
            if not file.has_changed():
                raise
            self._fail(number, error)
            return
        self._records += records
        self._there[number].clear()
        self.console.verbose_info(f"{file.name}: {records:,} records")

    def _fail(self, number: int, error: AttnError) -> None:
        """Note that a file cannot be done; what is wrong with the model ends the batch."""
        if not isinstance(error, DataError):
            raise error
        if number not in self._errors and len(self.files) > 1:
            self.console.fail(error.problem, error.hint)
        self._errors.setdefault(number, error)

    def report(self) -> None:
        """Say what was done. Raises DataError where a file could not be."""
        done = len(self.files) - len(self._errors)
        self.console.info(
            f"{counted(done, 'file')}, {counted(self._records, 'record')} in {self.folder.path} "
            f"({duration(self.progress.seconds)}, {self.progress.rate:,.0f} records a second)"
        )
        if self._errors and len(self.files) == 1:
            raise next(iter(self._errors.values()))
        if self._errors:
            raise DataError(
                f"{len(self._errors):,} of {len(self.files):,} files could not be processed",
                "The others are finished: correct these, and run the same command again.",
            )
        assert done == len(self.files)


def counted(count: int, name: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"
