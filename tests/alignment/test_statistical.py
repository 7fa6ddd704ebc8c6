"""Aligners that never saw a link find those of toy languages, whatever lies in the text."""

import importlib.util
import multiprocessing
import os
import signal
from itertools import islice, permutations, product

import numpy as np
import pytest

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


def links_of(source, target, **how):
    """The links of each pair and their weights."""
    table = collect_votes(source, target, **{"seed": 1, "workers": 1} | how)
    return [table.links(pair) for pair in range(len(table))]


@pytest.fixture
def simple(monkeypatch):
    monkeypatch.setattr(statistical, "COMMITTEE", SIMPLE)


@pytest.fixture
def processes(simple, monkeypatch):
    """Processes, however small the text is."""
    monkeypatch.setattr(statistical, "SMALL_CORPUS", 0)


# What is found


@pytest.mark.parametrize("target", [TARGET, BACKWARDS], ids=["in order", "backwards"])
def test_words_that_always_occur_together_have_more_than_half_of_the_votes(target):
    for ours, theirs, found in zip(SOURCE, target, links_of(SOURCE, target), strict=True):
        true = {(s, theirs.index(WORDS[word])) for s, word in enumerate(ours)}
        assert {link for link, share in found.items() if share > 0.5} == true


def test_a_weight_is_a_whole_number_of_votes(simple):
    shares = {share for pair in links_of(SOURCE, TARGET) for share in pair.values()}
    assert shares <= {0.25, 0.5, 0.75, 1.0}


def test_a_clitic_is_found_where_no_other_object_stands():
    subjects = {"i": "je", "you": "tu", "we": "nous"}
    verbs = {"see": "vois", "love": "aime", "sell": "vends", "hear": "entends"}
    objects = {"cats": "chats", "dogs": "chiens", "cars": "voitures", "books": "livres"}
    source, target = [], []
    for subject, verb in product(subjects, verbs):
        source += [[subject, verb, thing] for thing in objects] + [[subject, verb, "it"]]
        target += [[subjects[subject], verbs[verb], objects[thing]] for thing in objects]
        target += [[subjects[subject], "le", verbs[verb]]]
    for ours, found in zip(source, links_of(source, target), strict=True):
        if ours[2] == "it":
            assert found[2, 1] > 0.25
            assert found[2, 1] > max(found.get((s, 1), 0) for s in (0, 1))
            assert found[1, 2] > 0.5


def test_prefixes_gather_the_forms_of_a_word(monkeypatch):
    monkeypatch.setattr(
        statistical,
        "COMMITTEE",
        (CommitteeMember(prefix_length=4, uses_hmm=False, null_prior=0.2),),
    )
    source = [[f"walk{n}", word] for n, word in enumerate(WORDS)] * 2
    target = [[WORDS[word], f"geht{n}"] for n, word in enumerate(WORDS)] * 2
    assert all({(0, 1), (1, 0)} <= found.keys() for found in links_of(source, target))


def test_case_makes_no_difference(simple):
    shouted = [[word.upper() for word in words] for words in SOURCE]
    mixed = [[a[0], *b[1:]] for a, b in zip(shouted, SOURCE, strict=True)]
    assert links_of(mixed, TARGET) == links_of(SOURCE, TARGET)


# Whatever lies in the text


def test_a_sentence_without_words_or_with_too_many_has_no_links_and_disturbs_no_other(simple):
    odd = [([], ["x"]), (["x"], []), ([], []), (["a"] * (MAX_WORDS + 1), ["x"])]
    odd += [(["a"], ["x"] * 70_000)]
    source, target = [words for words, _ in odd], [words for _, words in odd]
    found = links_of([*source, *SOURCE], [*target, *TARGET])
    assert found[: len(odd)] == [{}] * len(odd)
    assert all(len(pair) >= 3 for pair in found[len(odd) :])


def test_the_longest_sentence_that_is_read_is_linked(simple):
    (found,) = links_of([["a"] * MAX_WORDS], [["x"]])
    assert found


def test_any_characters_make_a_word(simple):
    strange = ["a\0b", "\xa0", "a b", "", "\ud800", "NULL", "<NULL>", "x" * 100_000, "-", "\n", "1"]
    source = [list(words) for words in islice(permutations(strange, 3), 200)]
    target = [[str(strange.index(word)) for word in words] for words in source]
    plain = [[f"{strange.index(word)}word" for word in words] for words in source]
    assert links_of(source, target) == links_of(plain, target)


def test_one_pair_and_none_at_all():
    assert len(links_of([["a"]], [["x"]])) == 1
    assert links_of([], []) == []


# How it is done


def test_processes_find_the_very_same_links_and_tell_how_far_they_are(processes, monkeypatch):
    told = []
    beside = links_of(SOURCE, TARGET, workers=2, on_progress=told.append)
    assert told == sorted(told)
    assert (told[-1], multiprocessing.active_children()) == (1, [])
    monkeypatch.setattr(statistical, "SMALL_CORPUS", 10**9)
    assert links_of(SOURCE, TARGET) == beside


def test_pairs_are_counted_the_same_in_blocks_of_any_size(simple, monkeypatch):
    whole = links_of(SOURCE, TARGET)
    monkeypatch.setattr(statistical, "_BLOCK", 7)
    assert links_of(SOURCE, TARGET) == whole


def test_what_progress_raises_ends_every_process(processes):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        links_of(SOURCE, TARGET, workers=2, on_progress=stop)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are another thing there")
def test_a_process_that_is_killed_is_a_sentence(processes):
    def kill(done):
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match="was killed") as caught:
        links_of(SOURCE, TARGET, on_progress=kill)
    assert "memory" in caught.value.hint


def test_what_a_job_raises_is_raised_here(processes, monkeypatch):
    monkeypatch.setattr(aligner_jobs.np, "save", save_no_starts(np.save))
    with pytest.raises(TrainingError, match="No such file"):
        links_of(SOURCE, TARGET)


def save_no_starts(save):
    return lambda path, values: None if "starts" in path.name else save(path, values)


def test_no_more_processes_than_the_memory_holds():
    assert aligner_processes.max_parallel(4, 1_000) == 4
    assert aligner_processes.max_parallel(4, 10**15) == 1


# Going on, and in time


def test_a_job_whose_links_are_kept_is_not_done_again(processes, monkeypatch, tmp_path):
    whole = links_of(SOURCE, TARGET, cache=tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "2.counts.npy").unlink()
    data = (tmp_path / "1.links.npy").read_bytes()
    (tmp_path / "1.links.npy").write_bytes(data[:-8])  # cut short
    assert links_of(SOURCE, TARGET, cache=tmp_path) == whole
    again = {path.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert again == {f"{job}.{kind}.npy" for job in (1, 2) for kind in ("links", "counts")}


def test_members_without_time_are_left_out_of_the_count_and_said(processes, tmp_path):
    links_of(SOURCE, TARGET, cache=tmp_path)
    for job in (2, 3):
        (tmp_path / f"{job}.counts.npy").unlink()
    left_out = []
    few = links_of(SOURCE, TARGET, cache=tmp_path, max_seconds=1e-9, on_omitted=left_out.append)
    assert left_out == [1]
    assert {share for pair in few for share in pair.values()} <= {0.5, 1.0}


@pytest.mark.parametrize("seconds", [-1.0, 1e-9])
def test_without_time_for_any_member_there_is_no_count(processes, seconds):
    with pytest.raises(TimeoutError):
        links_of(SOURCE, TARGET, max_seconds=seconds)


def plan(finished=0, **how):
    members = [CommitteeMember(prefix_length=n, uses_hmm=True, null_prior=0.1) for n in range(3)]
    jobs = aligner_jobs.make_jobs(members, 1, "thot", None)
    clock = Clock()
    return aligner_processes.Schedule(jobs, jobs[:finished], clock=clock, **how), clock


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_members_that_would_end_too_late_are_left_out_with_both_directions():
    todo, clock = plan(max_seconds=30)
    jobs = [todo.next(), todo.next()]
    clock.now += 12
    todo.finish(jobs[0], 12)
    jobs.append(todo.next())
    clock.now += 1
    todo.finish(jobs[1], 13)
    jobs.append(todo.next())  # its member has begun
    clock.now += 12
    todo.finish(jobs[2], 12)
    assert todo.next() is None
    todo.finish(jobs[3], 12)
    assert [(job.member.prefix_length, job.reverse) for job in todo.finished] == [
        (letters, reverse) for letters in (0, 1) for reverse in (False, True)
    ]
    assert todo.left_out == 1
    assert todo.share([]) == 1


def test_where_there_is_no_time_for_one_member_that_is_said_as_soon_as_it_is_known():
    todo, clock = plan(max_seconds=30)
    job = todo.next()
    clock.now += 10
    todo.check(job, 0.05, 10)  # it has only begun
    todo.check(job, 0.4, 10)
    with pytest.raises(TimeoutError):
        todo.check(job, 0.3, 10)
    todo, clock = plan(finished=2, max_seconds=30)
    todo.check(todo.next(), 0.1, 10)  # a member has voted


# Another program


def test_a_program_that_is_not_installed_is_wrong_usage(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="eflomal is not installed") as caught:
        collect_votes(SOURCE, TARGET, seed=1, workers=1, program="eflomal")
    assert "pip install eflomal" in caught.value.hint


@pytest.mark.skipif(importlib.util.find_spec("eflomal") is None, reason="eflomal is not installed")
def test_eflomal_finds_the_same():
    for ours, found in zip(SOURCE, links_of(SOURCE, TARGET, program="eflomal"), strict=True):
        true = {(s, s) for s in range(len(ours))}
        assert {link for link, share in found.items() if share > 0.5} == true
