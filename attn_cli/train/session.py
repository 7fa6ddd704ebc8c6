"""A recipe and a folder become a trained bundle: text, vocabulary, network, loop, in that order.

Knows neither Typer nor Rich: what happens is told as events.
"""

import base64
import contextlib
import hashlib
import math
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from torch import Tensor

from attn_cli import __version__, bundle, config
from attn_cli.align.table import LinkTable
from attn_cli.bundle import Bundle
from attn_cli.config import Recipe, file_of_links
from attn_cli.decode.beam import Search
from attn_cli.engine.base import View, view_of
from attn_cli.errors import AttnError, TrainingError
from attn_cli.nn.build import build, build_head
from attn_cli.nn.hardware import Hardware, choose
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state import restore, tensors_of
from attn_cli.text import corpus, store
from attn_cli.text.arrays import Storage
from attn_cli.text.batching import Batches, batches_of
from attn_cli.text.literals import Literals
from attn_cli.text.pieces import Segmented, segmented
from attn_cli.text.tokenizer import Tokenizer
from attn_cli.text.variants import Variants, varied
from attn_cli.train import checkpoint, events
from attn_cli.train.budget import (
    ALIGNER_SHARE,
    LEAST_ALIGNER_SECONDS,
    LINKS_SHARE,
    TimeBudget,
)
from attn_cli.train.group import Group
from attn_cli.train.guidance import Guidance, guided_head
from attn_cli.train.head import LAST as HEAD_STATE
from attn_cli.train.head import HeadTrainer
from attn_cli.train.links import (
    LINKS,
    VOTES,
    WordLinks,
    guides,
    prepared,
    teaches_head,
    wants_links,
)
from attn_cli.train.loop import Trainer
from attn_cli.train.resuming import CHECKPOINTS, TEXT, Plan, check_text, clear, commit
from attn_cli.train.shown import best_head, some_pairs
from attn_cli.train.stopping import Scored
from attn_cli.train.validation import Sentence, Validation, telling
from attn_cli.train.vocabulary_transfer import transfer_vocabulary

T = TypeVar("T")

#: Words from which a vocabulary is learnt: of a longer text an even share, since SentencePiece
#: takes some 80 bytes for each.
ENOUGH_WORDS = 5_000_000

#: Updates where the recipe leaves them open: this many times through the text, within bounds.
EPOCHS, FEWEST_STEPS, MOST_STEPS = 20, 3_000, 30_000

#: The same where training goes on from a model.
MORE_EPOCHS, FEWEST_MORE = 8, 40

#: Where a time limit decides, updates may be this many times as many.
TIMED_EPOCHS_FACTOR = 2


@dataclass(frozen=True)
class Run:
    """What to train and where: everything that is not in the recipe.

    `plan` is what `resuming.begin` wrote or `resuming.resumed` read. With `accept_new_data`, text
    that has changed since is trained on. `watch` is a sentence to show at each validation, and the
    target to force upon it or None; with `live` somebody looks at a panel, so that some sentence is
    shown now and then in any case.
    """

    out: Path
    resume: bool = False
    is_continued: bool = False  # a training that was begun before, resumed or begun again
    plan: Plan | None = None
    accept_new_data: bool = False
    start_from: Bundle | None = None
    device: str = "auto"
    threads: int | None = None
    workers: int | None = None
    budget: TimeBudget = field(default_factory=TimeBudget)
    watch: tuple[str, str | None] | None = None
    live: bool = False
    stdin: BinaryIO | None = None


def train(
    recipe: Recipe,
    run: Run,
    *,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
    abandonable: Callable[[], AbstractContextManager[None]] = nullcontext,
    group: Group | None = None,
) -> events.Finished:
    """Train `recipe`, whose files are relative to `run.out`, and leave a bundle there.

    Every worker of `group` calls it with the same recipe; the main one alone writes into `run.out`
    and emits events. Work within `abandonable` is lost without harm when an exception ends it:
    resuming does it again. All other work ends soon after `interrupted` says so.

    Raises DataError, UsageError, TrainingError or ModelError as their parts do.
    """
    group = group or Group()
    try:
        return _train(recipe, run, emit, interrupted, abandonable, group)
    finally:
        if group.is_local_main:
            _remove_text(_text_folder(run.out, group))


def _train(
    recipe: Recipe,
    run: Run,
    emit: events.Listener,
    interrupted: Callable[[], bool],
    abandonable: Callable[[], AbstractContextManager[None]],
    group: Group,
) -> events.Finished:
    recipe, run = _follow_main(group, recipe, run)
    if run.threads:
        torch.set_num_threads(max(1, run.threads // group.place.local_size))
    phases = _Phases(recipe, emit)
    phases.enter("text")
    hardware = choose(run.device, recipe.train.precision, local_rank=group.place.local_rank)
    torch.manual_seed(recipe.seed)
    with abandonable():
        text = _prepare(recipe, run, emit, interrupted, group, phases)
    _require_same(group, "text", text.digest)
    recipe = text.recipe
    network = build(
        recipe.model,
        source_vocab=text.tokenizers[0].vocab_size,
        target_vocab=text.tokenizers[1].vocab_size,
    )
    if run.start_from is not None:
        with torch.no_grad():
            weights, _ = checkpoint.load(run.start_from.weights)
            weights = transfer_vocabulary(weights, run.start_from, text.tokenizers)
            restore(network, weights, where=str(run.start_from.weights))
    trainer = _trainer(
        recipe, run, text, network.to(hardware.device), hardware, emit, interrupted, group
    )
    group.seed()
    has_state = run.resume and trainer.resume()
    if run.resume and not has_state:
        emit(events.Noticed("no update of the network was saved: it begins again"))
    links = text.links
    if links is not None and teaches_head(recipe):
        if not has_state:
            trainer.save()  # the folder is a model from here on
        taught = _teach_head(recipe, run, text, links, hardware, emit, interrupted, group)
        links = taught or links
    if links is not None and guides(recipe):
        trainer.guidance = Guidance(
            links,
            weight=recipe.train.guided_weight,
            decay=recipe.train.guided_decay,
            max_steps=recipe.train.max_steps,
            head=guided_head(recipe.model),
        )
    phases.enter("network")
    emit(
        events.Started(
            step=trainer.at.step,
            max_steps=trainer.schedule.last,
            parameters=sum(p.numel() for p in network.parameters()),
            device=hardware.device.type,
            precision=hardware.precision,
            threads=torch.get_num_threads(),
            workers=group.size,
        )
    )
    finished = trainer.run()
    if finished.reason != "interrupted" and group.is_main:
        phases.enter("graphs")
        with abandonable():
            if text.links is not None:
                recipe = _with_head_shown(recipe, run, text, text.links, network, hardware, emit)
            export_graphs(run.out, recipe, emit)
        replace(text.plan, recipe=recipe, finished=finished.reason).save(run.out)
    return finished


def recipe_digest(recipe: Recipe) -> str:
    """sha256 of the recipe but for the places of its files, which may differ between machines."""
    recipe = config.with_files(recipe, dict.fromkeys(config.DATA_FILES, ""))
    return hashlib.sha256(config.to_toml(recipe).encode()).hexdigest()


def _follow_main(group: Group, recipe: Recipe, run: Run) -> tuple[Recipe, Run]:
    """The recipe of the main worker, where it continues a training that it alone may know.

    Of a new training every worker has the recipe: raises TrainingError where these differ.
    """
    continued = {"recipe": config.to_toml(recipe), "resume": run.resume} if run.is_continued else {}
    continued = group.broadcast(continued)
    if not continued:
        _require_same(group, "recipe", recipe_digest(recipe))
    elif not group.is_main:
        recipe = config.parse(str(continued["recipe"]), where="the main worker's recipe")
        run = replace(run, resume=bool(continued["resume"]))
    return recipe, run


def _require_same(group: Group, name: str, digest: str) -> None:
    """Raise TrainingError on every worker where they were not all given the same."""
    digests = group.gather(digest)
    others = [rank for rank, each in enumerate(digests) if each != digests[0]]
    if others:
        raise TrainingError(
            f"worker {others[0]} was given another {name} than worker 0",
            "Start all workers with the same command, on the same files.",
        )


class _Phases:
    """The phases that a recipe's training has, told one after another."""

    def __init__(self, recipe: Recipe, emit: events.Listener) -> None:
        links = ["word aligner" if teaches_head(recipe) else "word links"]
        graphs = ["graphs"] if recipe.train.export != "none" else []
        self._names = ["text", *(links if wants_links(recipe) else []), "network", *graphs]
        self._emit = emit

    def enter(self, name: str) -> None:
        """Tell that it begins, if the training has it."""
        if name in self._names:
            number = self._names.index(name) + 1
            self._emit(events.Phase(name, number, tuple(self._names)))

    def enter_links(self) -> None:
        """Tell that word links are made, and what learns from them."""
        self.enter("word aligner")
        self.enter("word links")


def _with_head_shown(
    recipe: Recipe,
    run: Run,
    text: "_Text",
    links: LinkTable,
    network: Seq2Seq,
    hardware: Hardware,
    emit: events.Listener,
) -> Recipe:
    """The recipe, and the bundle's, with the head that is shown: of several the one that points
    where `links` do, unless somebody has chosen. The network is then what the bundle holds."""
    layers, heads = recipe.model.heads
    if layers * heads <= 1 or recipe.decode.layer or recipe.decode.head:
        return recipe
    with torch.no_grad():
        weights, _ = checkpoint.load(run.out / bundle.WEIGHTS)
        restore(network, weights, where=str(run.out / bundle.WEIGHTS))
    pairs = some_pairs(text.train, links)
    shown = best_head(
        network,
        batches_of(text.train, pairs, tokens=recipe.train.batch_tokens) if len(pairs) else (),
        links,
        model=recipe.model,
        hardware=hardware,
    )
    if shown is None:
        return recipe
    decode = replace(recipe.decode, layer=shown.layer, head=shown.head)
    recipe = replace(recipe, decode=decode)
    bundle.write_recipe(run.out, recipe)
    emit(events.Noticed(shown.sentence()))
    return recipe


def export_graphs(out: Path, recipe: Recipe, emit: events.Listener) -> None:
    """Make the bundle's graphs as the recipe wants them. Without them torch runs it, so what goes
    wrong here is told and no more."""
    if recipe.train.export == "none":
        return
    try:
        from attn_cli.export import export
    except ModuleNotFoundError as error:
        emit(events.Noticed(f"no graphs: {error.name} is not installed"))
        return
    began = time.monotonic()
    emit(events.Activity("making graphs"))
    try:
        made = export(bundle.open_bundle(out), precision=recipe.train.export)
    except AttnError as error:
        emit(events.Noticed(f"no graphs: {error.problem}"))
        return
    seconds = time.monotonic() - began
    emit(events.Exported(recipe.train.export, made.bytes, made.difference, seconds))


def _teach_head(
    recipe: Recipe,
    run: Run,
    text: "_Text",
    votes: LinkTable,
    hardware: Hardware,
    emit: events.Listener,
    interrupted: Callable[[], bool],
    group: Group,
) -> LinkTable | None:
    """An alignment head taught by `votes` joins the bundle; what it then says of the pairs.

    Every worker trains it. It has random numbers of its own, so that the network's are the same
    before and after. None where it was interrupted, or left out for want of time; a notice says so
    then.
    """
    max_seconds = run.budget.left() - text.left_after_links  # the main worker's decides
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        head = build_head(
            recipe.model,
            source_vocab=text.tokenizers[0].vocab_size,
            target_vocab=text.tokenizers[1].vocab_size,
        )
        if run.start_from is not None and run.start_from.holds(bundle.HEAD):
            with torch.no_grad():
                weights, _ = checkpoint.load(run.start_from.head)
                weights = transfer_vocabulary(weights, run.start_from, text.tokenizers)
                restore(head, weights, where=str(run.start_from.head))
        trainer = HeadTrainer(
            head.to(hardware.device),
            text.train,
            votes,
            settings=recipe.train,
            seed=recipe.seed,
            folder=run.out / CHECKPOINTS,
            emit=emit,
            interrupted=interrupted,
            max_seconds=max_seconds,
            group=group,
        )
        if not (run.resume and trainer.resume()):
            group.seed()
        try:
            if group.broadcast(max_seconds < LEAST_ALIGNER_SECONDS and not trainer.is_finished):
                raise TimeoutError
            links = trainer.run()
        except TimeoutError:
            emit(
                events.Noticed(
                    "no word aligner: it would learn too little in the "
                    f"{max(0.0, max_seconds):.0f} s that --max-minutes leaves for it"
                )
            )
            return None
    if links is not None and group.is_main:
        bundle.include(run.out, bundle.HEAD, checkpoint.serialize(tensors_of(head)))
    return links


@dataclass(frozen=True)
class _Text:
    """What is learnt from. `links` None: none are wanted, it was interrupted before any, or they
    would have taken too long. Once a word aligner has learnt from them, `left_after_links` seconds
    of the time must be left."""

    recipe: Recipe
    plan: Plan
    train: Segmented
    valid: Segmented
    digest: str
    tokenizers: tuple[Tokenizer, Tokenizer]
    links: LinkTable | None
    left_after_links: float


def _prepare(
    recipe: Recipe,
    run: Run,
    emit: events.Listener,
    interrupted: Callable[[], bool],
    group: Group,
    phases: _Phases,
) -> _Text:
    """Read the text, learn or load its vocabulary, split it into pieces, link its words.

    One worker of each machine prepares the text there, and all of them open it.
    """
    began = time.monotonic()
    here = bundle.relocated(recipe, run.out, Path())  # as a person would name the files
    folder = _text_folder(run.out, group)
    emit(events.Activity("reading the text"))
    read = _on_each_machine(group, lambda: _read(here, folder, run.stdin))
    if not run.resume and (recipe.train.new_vocabulary or run.start_from is None):
        emit(events.Activity("learning the vocabulary"))
    tokenizers = _shared_tokenizers(recipe, group, lambda: _tokenizers(recipe, run, read))
    emit(events.Activity("splitting words into pieces"))
    _on_each_machine(group, lambda: _store(here, folder, read, tokenizers))
    group.barrier()
    text = store.load(folder)
    training, valid = text.train, text.valid
    reports = read.reports if read is not None else []
    recipe = _with_steps(
        recipe, training, going_on=run.start_from is not None, timed=run.budget.limited
    )
    for report in reports:
        for sentence in report.sentences():
            emit(events.Noticed(sentence))
    emit(
        events.Prepared(
            pairs=len(training),
            valid_pairs=len(valid),
            source_vocab=tokenizers[0].vocab_size,
            target_vocab=tokenizers[1].vocab_size,
            seconds=time.monotonic() - began,
        )
    )
    plan = replace(run.plan or Plan(recipe), recipe=recipe, finished="")
    corpora = {"training": training.corpus, "validation": valid.corpus}
    digests = {part: each.digest for part, each in corpora.items()} if group.is_main else {}
    digests = group.broadcast(digests)
    if not group.is_main:
        plan, links = replace(plan, text=digests), _shared_links(None, group)
        return _Text(recipe, plan, training, valid, text.digest, tokenizers, links, 0.0)
    left = run.budget.left()
    share = LINKS_SHARE if teaches_head(recipe) and not guides(recipe) else 1.0

    def links_of_words() -> WordLinks | None:
        phases.enter_links()
        return prepared(
            here,
            training.corpus,
            n_lines=reports[0].seen,
            cache=run.out / CHECKPOINTS / LINKS,
            workers=torch.get_num_threads() * group.place.local_size,
            emit=emit,
            interrupted=interrupted,
            max_seconds=share * ALIGNER_SHARE * left,
            resume=run.resume,
            stdin=run.stdin,
        )

    # Nothing is replaced before all that may be refused has been read: votes never are.
    file = file_of_links(here)
    words = links_of_words() if file else None
    names = {part: each.name for part, each in corpora.items()}
    if words is not None:
        digests["links"], names["links"] = _digest(words.table), file
    if run.resume:
        plan = _gone_on_with(plan, run, digests, names, emit)
    else:
        plan = _begun(replace(plan, text=digests), run, tokenizers)
    if not file:
        words = links_of_words()
    if words is not None:
        words.keep(run.out / CHECKPOINTS / LINKS)
    links = _shared_links(words.table if words else None, group)
    after = (1.0 - ALIGNER_SHARE) * left if run.budget.limited else -math.inf
    return _Text(recipe, plan, training, valid, text.digest, tokenizers, links, after)


@dataclass(frozen=True)
class _Read:
    """A text as it was read: what is taught, what is validated on, and what was left out."""

    taught: corpus.Corpus
    variants: Variants | None
    valid: corpus.Corpus
    reports: list[corpus.Report]


def _read(recipe: Recipe, folder: Path, stdin: BinaryIO | None) -> _Read:
    storage = Storage.create(folder)
    loaded = corpus.load(
        recipe.data,
        Path(),
        seed=recipe.seed,
        stdin=stdin,
        storage=storage,
        literals=Literals.of(recipe),
    )
    taught, variants = varied(loaded.train, recipe.data.variants, seed=recipe.seed)
    return _Read(taught, variants, loaded.valid, list(loaded.reports))


def _store(
    recipe: Recipe, folder: Path, read: _Read | None, tokenizers: tuple[Tokenizer, Tokenizer]
) -> None:
    """Split the text into pieces and store it. Adds to the reports of what was left out."""
    assert read is not None
    training, report = segmented(
        read.taught, *tokenizers, sampling=recipe.tokenizer.sampling, variants=read.variants
    ).limited(max_length=recipe.data.max_length, max_ratio=recipe.data.max_ratio)
    read.reports.append(report)
    store.save(folder, training, segmented(read.valid, *tokenizers))


def _on_each_machine(group: Group, work: Callable[[], T]) -> T | None:
    """What the first worker of each machine makes, None on the others.

    They wait for the main worker, however long it takes. Raises TrainingError on them if it fails.
    """
    try:
        made = work() if group.is_local_main else None
    except BaseException:
        if group.is_main:
            group.broadcast(False)
        raise
    if not group.broadcast(True):
        raise TrainingError(
            "the main worker could not prepare the text", "Look at what it says itself."
        )
    return made


def _text_folder(out: Path, group: Group) -> Path:
    """Where the prepared text of this machine is while a training runs."""
    first = group.rank - group.place.local_rank
    return out / CHECKPOINTS / (f"{TEXT}-{first}" if first else TEXT)


def _remove_text(folder: Path) -> None:
    """Remove the prepared text, which may be large and is prepared again when training goes on."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # it holds checkpoints
        folder.parent.rmdir()


def _begun(plan: Plan, run: Run, tokenizers: tuple[Tokenizer, Tokenizer]) -> Plan:
    """Replace what is in the folder by the recipe and the vocabulary of a training that begins."""
    clear(run.out, plan, keep=(LINKS, VOTES))
    bundle.write_definition(run.out, plan.recipe, *tokenizers)
    if plan.recipe.train.keep_head and run.start_from and run.start_from.holds(bundle.HEAD):
        bundle.include(run.out, bundle.HEAD, run.start_from.head.read_bytes())
    commit(run.out, plan)
    return plan


def _gone_on_with(
    plan: Plan, run: Run, digests: dict[str, str], names: dict[str, str], emit: events.Listener
) -> Plan:
    """The plan of a training that is resumed, with its recipe as it is now.

    Raises DataError for other text than it had, unless that is accepted.
    """
    if not run.accept_new_data:
        check_text(plan.text, digests, names)
    changed = [key for key in digests if plan.text.get(key, digests[key]) != digests[key]]
    for key in changed:
        emit(events.Noticed(f"{names[key]} has changed: {_CONSEQUENCES[key]}"))
    if set(changed) & {"training", "links"}:
        (run.out / CHECKPOINTS / HEAD_STATE).unlink(missing_ok=True)
    plan = replace(plan, text=digests)
    bundle.write_recipe(run.out, plan.recipe)
    plan.save(run.out)
    return plan


#: What becomes of a training whose text is another one than before.
_CONSEQUENCES = {
    "training": "training goes on with a new epoch, and with word links of its own",
    "validation": "how good the network was on the old text no longer counts",
    "links": "training goes on with the new ones",
}


def _digest(links: LinkTable) -> str:
    """sha256 of a table of links."""
    total = hashlib.sha256()
    for array in (links.source, links.target, links.weight, links.starts):
        total.update(array.tobytes())
    return total.hexdigest()


def _shared_links(table: LinkTable | None, group: Group) -> LinkTable | None:
    """The main worker's links, on every worker."""
    if not group.broadcast(table is not None):
        return None
    tensors = {} if table is None else checkpoint.as_tensors(table)
    return checkpoint.from_tensors(group.broadcast_dict(tensors)) if group.size > 1 else table


def _shared_tokenizers(
    recipe: Recipe, group: Group, make: Callable[[], tuple[Tokenizer, Tokenizer]]
) -> tuple[Tokenizer, Tokenizer]:
    """The tokenizers that the main worker makes, on every worker."""
    own = make() if group.is_main else None
    if group.size == 1:
        assert own is not None
        return own
    models = [base64.b64encode(each.to_bytes()).decode("ascii") for each in own or ()]
    if own is not None and own[0] is own[1]:
        del models[1]
    models = group.broadcast(models)
    if own is not None:
        return own
    received = [
        Tokenizer.from_bytes(
            base64.b64decode(model),
            where="the main worker",
            plain_quotes=recipe.tokenizer.plain_quotes,
            literals=Literals.of(recipe),
        )
        for model in models
    ]
    return received[0], received[-1]


def _with_steps(recipe: Recipe, text: Segmented, *, going_on: bool, timed: bool) -> Recipe:
    """The recipe with `train.max_steps` decided: by the amount of text where it says 0.

    Where the training is `timed` that is what the text deserves at most.
    """
    if recipe.train.max_steps:
        return recipe
    places = int(text.target_lengths[text.pairs].sum()) + len(text)  # one EOS each
    epochs, fewest = (MORE_EPOCHS, FEWEST_MORE) if going_on else (EPOCHS, FEWEST_STEPS)
    steps = max(epochs * places // recipe.train.batch_tokens, fewest)
    steps = TIMED_EPOCHS_FACTOR * steps if timed else min(steps, MOST_STEPS)
    return replace(recipe, train=replace(recipe.train, max_steps=steps))


def _tokenizers(recipe: Recipe, run: Run, read: _Read | None) -> tuple[Tokenizer, Tokenizer]:
    if run.resume:
        return bundle.load_tokenizers(run.out, recipe)
    if run.start_from is not None and not recipe.train.new_vocabulary:
        return run.start_from.source, run.start_from.target
    assert read is not None
    return tokenizers_for(recipe, read.taught, read.variants)


def tokenizers_for(
    recipe: Recipe, text: corpus.Corpus, variants: Variants | None = None
) -> tuple[Tokenizer, Tokenizer]:
    """The vocabulary of each side, learnt from the text; one and the same where it is joint."""
    literals = Literals.of(recipe)
    share = min(1.0, ENOUGH_WORDS / text.n_words)
    source, target = text.source_counts(share=share), text.target_counts(share=share)
    if variants is not None:
        source = variants.in_small_letters(source)
    if recipe.tokenizer.joint:
        both = dict(source)
        for form, count in target.items():
            both[form] = both.get(form, 0) + count
        joint = Tokenizer.train_on_counts(both, recipe.tokenizer, literals=literals)
        return joint, joint
    return (
        Tokenizer.train_on_counts(source, recipe.tokenizer, literals=literals),
        Tokenizer.train_on_counts(target, recipe.tokenizer, literals=literals),
    )


def _view(recipe: Recipe) -> View | None:
    """What of the attention is shown while it learns, None of a network that has none."""
    if not recipe.model.attends:
        return None
    return view_of(recipe.model, layer=recipe.decode.layer, head=recipe.decode.head)


def _trainer(
    recipe: Recipe,
    run: Run,
    text: _Text,
    network: Seq2Seq,
    hardware: Hardware,
    emit: events.Listener,
    interrupted: Callable[[], bool],
    group: Group,
) -> Trainer:
    validation = Validation(
        list(batches_of(text.valid, text.valid.pairs, tokens=recipe.train.batch_tokens)),
        list(text.valid.corpus.source_texts()),
        list(text.valid.corpus.target_texts()),
        tokenizers=text.tokenizers,
        how=replace(Search.of(recipe.decode), beam=1),
        hardware=hardware,
        view=_view(recipe),
        interrupted=interrupted,
        group=group,
    )

    watch = None
    if group.is_main and (run.watch or run.live):
        samples = list(text.valid.corpus.source_texts())
        source, target = run.watch or (samples[telling(samples)], None)
        watch = Sentence(
            source,
            target,
            tokenizers=text.tokenizers,
            how=validation.how,
            view=validation.view,
        )

    def publish(tensors: dict[str, Tensor], scored: Scored | None) -> None:
        scores = {}
        if scored is not None:
            scores = {
                "step": scored.step,
                "bleu": {"score": round(scored.bleu, 2), "on": "validation, greedy"},
            }
        weights = {bundle.WEIGHTS: checkpoint.serialize(tensors)}
        bundle.seal(run.out, recipe, version=__version__, scores=scores, files=weights)

    return Trainer(
        network,
        Batches(text.train, tokens=recipe.train.batch_tokens, seed=recipe.seed),
        validation,
        settings=recipe.train,
        hardware=hardware,
        folder=run.out / CHECKPOINTS,
        text=text.plan.text,
        publish=publish,
        emit=emit,
        interrupted=interrupted,
        budget=run.budget,
        watch=watch,
        group=group,
    )
