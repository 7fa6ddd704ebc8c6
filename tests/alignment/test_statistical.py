"""Statistical aligners link toy languages without supervision, and accept any text."""

import importlib.util
import multiprocessing
import os
import signal
from itertools import islice, permutations, product

import numpy as np
import pytest
from clock import Clock

from attn_cli.alignment import aligner_jobs, aligner_processes, statistical
from attn_cli.alignment.aligner_jobs import MAX_WORDS, CommitteeMember
from attn_cli.alignment.statistical import collect_votes
from attn_cli.errors import TrainingError, UsageError

#: A toy language and its translation, word for word.
WORDS = {"cat": "Katze", "dog": "Hund", "red": "rot", "old": "alt", "sees": "sieht", "and": "und"}
SOURCE = [list(words) for words in permutations(WORDS, 3)]
TARGET = [[WORDS[word] for word in words] for words in SOURCE]
BACKWARDS = [words[::-1] for words in TARGET]

#: A committee of the fastest members.
SIMPLE = (
    CommitteeMember(prefix_length=0, uses_hmm=False, null_prior=0.2),
    CommitteeMember(prefix_length=2, uses_hmm=False, null_prior=0.2),
)


def links_of(source, target, **options):
    """Return the links of each pair and their weights."""
    table = collect_votes(source, target, **{"seed": 1, "workers": 1} | options)
    return [table.links(pair) for pair in range(len(table))]


@pytest.fixture
def simple(monkeypatch):
    monkeypatch.setattr(statistical, "COMMITTEE", SIMPLE)


@pytest.fixture
def processes(simple, monkeypatch):
    """Use processes even for a small text."""
    monkeypatch.setattr(statistical, "SMALL_CORPUS", 0)


# Links


@pytest.mark.parametrize("target", [TARGET, BACKWARDS], ids=["in order", "backwards"])
def test_words_that_always_occur_together_have_more_than_half_of_the_votes(target):
    for source_words, target_words, links in zip(
        SOURCE, target, links_of(SOURCE, target), strict=True
    ):
        expected = {(s, target_words.index(WORDS[word])) for s, word in enumerate(source_words)}
        assert {link for link, share in links.items() if share > 0.5} == expected


def test_a_link_weight_is_a_multiple_of_one_vote(simple):
    shares = {share for pair in links_of(SOURCE, TARGET) for share in pair.values()}
    assert 1.0 in shares
    assert shares <= {0.25, 0.5, 0.75, 1.0}


def test_a_clitic_is_linked_to_its_pronoun():
    subjects = {"i": "je", "you": "tu", "we": "nous"}
    verbs = {"see": "vois", "love": "aime", "sell": "vends", "hear": "entends"}
    objects = {"cats": "chats", "dogs": "chiens", "cars": "voitures", "books": "livres"}
    source, target = [], []
    for subject, verb in product(subjects, verbs):
        source += [[subject, verb, noun] for noun in objects] + [[subject, verb, "it"]]
        target += [[subjects[subject], verbs[verb], objects[noun]] for noun in objects]
        target += [[subjects[subject], "le", verbs[verb]]]
    for source_words, links in zip(source, links_of(source, target), strict=True):
        if source_words[2] == "it":
            assert links[2, 1] > 0.25
            assert links[2, 1] > max(links.get((s, 1), 0) for s in (0, 1))
            assert links[1, 2] > 0.5


def test_a_prefix_length_merges_the_forms_of_a_word(monkeypatch):
    monkeypatch.setattr(
        statistical,
        "COMMITTEE",
        (CommitteeMember(prefix_length=4, uses_hmm=False, null_prior=0.2),),
    )
    source = [[f"walk{n}", word] for n, word in enumerate(WORDS)] * 2
    target = [[WORDS[word], f"geht{n}"] for n, word in enumerate(WORDS)] * 2
    assert all({(0, 1), (1, 0)} <= links.keys() for links in links_of(source, target))


def test_links_do_not_depend_on_case(simple):
    uppercase = [[word.upper() for word in words] for words in SOURCE]
    mixed = [[a[0], *b[1:]] for a, b in zip(uppercase, SOURCE, strict=True)]
    assert links_of(mixed, TARGET) == links_of(SOURCE, TARGET)


# Unusual texts


def test_empty_and_very_long_sentences_have_no_links_and_do_not_affect_others(simple):
    unusual = [([], ["x"]), (["x"], []), ([], []), (["a"] * (MAX_WORDS + 1), ["x"])]
    unusual += [(["a"], ["x"] * 70_000)]
    source, target = [words for words, _ in unusual], [words for _, words in unusual]
    links = links_of([*source, *SOURCE], [*target, *TARGET])
    assert links[: len(unusual)] == [{}] * len(unusual)
    assert all(len(pair) >= 3 for pair in links[len(unusual) :])


def test_a_sentence_of_the_maximum_length_is_linked(simple):
    (links,) = links_of([["a"] * MAX_WORDS], [["x"]])
    assert links


def test_words_may_contain_any_characters(simple):
    strange = ["a\0b", "\xa0", "a b", "", "\ud800", "NULL", "<NULL>", "x" * 100_000, "-", "\n", "1"]
    source = [list(words) for words in islice(permutations(strange, 3), 200)]
    target = [[str(strange.index(word)) for word in words] for words in source]
    plain = [[f"{strange.index(word)}word" for word in words] for words in source]
    links = links_of(source, target)
    assert all(links)
    assert links == links_of(plain, target)


def test_a_text_may_have_one_pair_or_none():
    assert len(links_of([["a"]], [["x"]])) == 1
    assert links_of([], []) == []


# Processes


def test_parallel_processes_find_the_same_links_and_report_their_progress(processes, monkeypatch):
    progress = []
    parallel = links_of(SOURCE, TARGET, workers=2, on_progress=progress.append)
    assert progress == sorted(progress)
    assert (progress[-1], multiprocessing.active_children()) == (1, [])
    monkeypatch.setattr(statistical, "SMALL_CORPUS", 10**9)
    assert links_of(SOURCE, TARGET) == parallel


def test_votes_do_not_depend_on_the_block_size(simple, monkeypatch):
    whole = links_of(SOURCE, TARGET)
    monkeypatch.setattr(statistical, "_BLOCK", 7)
    assert links_of(SOURCE, TARGET) == whole


def test_an_exception_in_the_progress_callback_ends_all_processes(processes):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        links_of(SOURCE, TARGET, workers=2, on_progress=stop)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this platform has no SIGKILL")
def test_a_killed_process_is_reported_as_a_training_error_with_a_hint(processes):
    def kill(done):
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match="was killed") as caught:
        links_of(SOURCE, TARGET, on_progress=kill)
    assert "memory" in caught.value.hint


def test_an_exception_of_a_job_is_raised_as_a_training_error(processes, monkeypatch):
    monkeypatch.setattr(aligner_jobs.np, "save", save_no_starts(np.save))
    with pytest.raises(TrainingError, match="No such file"):
        links_of(SOURCE, TARGET)


def save_no_starts(save):
    return lambda path, values: None if "starts" in path.name else save(path, values)


def test_the_number_of_processes_is_limited_by_memory():
    assert aligner_processes.max_parallel(4, 1_000) == 4
    assert aligner_processes.max_parallel(4, 10**15) == 1


# Cache and time limit


def test_a_job_with_cached_links_is_not_repeated(processes, tmp_path):
    whole = links_of(SOURCE, TARGET, cache=tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "2.counts.npy").unlink()
    data = (tmp_path / "1.links.npy").read_bytes()
    (tmp_path / "1.links.npy").write_bytes(data[:-8])  # truncated
    assert links_of(SOURCE, TARGET, cache=tmp_path) == whole
    rewritten = {path.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert rewritten == {f"{job}.{kind}.npy" for job in (1, 2) for kind in ("links", "counts")}


def test_members_beyond_the_time_limit_are_omitted_and_reported(processes, tmp_path):
    links_of(SOURCE, TARGET, cache=tmp_path)
    for job in (2, 3):
        (tmp_path / f"{job}.counts.npy").unlink()
    left_out = []
    few = links_of(SOURCE, TARGET, cache=tmp_path, max_seconds=1e-9, on_omitted=left_out.append)
    assert left_out == [1]
    shares = {share for pair in few for share in pair.values()}
    assert 1.0 in shares
    assert shares <= {0.5, 1.0}


@pytest.mark.parametrize("seconds", [-1.0, 1e-9])
def test_a_time_limit_too_short_for_any_member_raises_a_timeout_error(processes, seconds):
    with pytest.raises(TimeoutError):
        links_of(SOURCE, TARGET, max_seconds=seconds)


def make_schedule(finished=0, **options):
    members = [CommitteeMember(prefix_length=n, uses_hmm=True, null_prior=0.1) for n in range(3)]
    jobs = aligner_jobs.make_jobs(members, 1, "thot", None)
    clock = Clock(now=100.0)
    return aligner_processes.Schedule(jobs, jobs[:finished], clock=clock, **options), clock


def test_members_that_would_end_too_late_are_omitted_in_both_directions():
    schedule, clock = make_schedule(max_seconds=30)
    jobs = [schedule.next(), schedule.next()]
    clock.now += 12
    schedule.finish(jobs[0], 12)
    jobs.append(schedule.next())
    clock.now += 1
    schedule.finish(jobs[1], 13)
    jobs.append(schedule.next())  # its member has already started
    clock.now += 12
    schedule.finish(jobs[2], 12)
    assert schedule.next() is None
    schedule.finish(jobs[3], 12)
    assert [(job.member.prefix_length, job.reverse) for job in schedule.finished] == [
        (prefix_length, reverse) for prefix_length in (0, 1) for reverse in (False, True)
    ]
    assert schedule.left_out == 1
    assert schedule.share([]) == 1


def test_a_time_limit_too_short_for_one_member_is_reported_during_its_job():
    schedule, clock = make_schedule(max_seconds=30)
    job = schedule.next()
    clock.now += 10
    schedule.check(job, 0.05, 10)  # too early to judge
    schedule.check(job, 0.4, 10)
    with pytest.raises(TimeoutError):
        schedule.check(job, 0.3, 10)
    schedule, clock = make_schedule(finished=2, max_seconds=30)
    schedule.check(schedule.next(), 0.1, 10)  # a member has voted


# Another program


def test_a_program_that_is_not_installed_is_a_usage_error(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="eflomal is not installed") as caught:
        collect_votes(SOURCE, TARGET, seed=1, workers=1, program="eflomal")
    assert "pip install eflomal" in caught.value.hint


@pytest.mark.skipif(importlib.util.find_spec("eflomal") is None, reason="eflomal is not installed")
def test_eflomal_links_the_toy_language_correctly():
    for words, links in zip(SOURCE, links_of(SOURCE, TARGET, program="eflomal"), strict=True):
        expected = {(s, s) for s in range(len(words))}
        assert {link for link, share in links.items() if share > 0.5} == expected
