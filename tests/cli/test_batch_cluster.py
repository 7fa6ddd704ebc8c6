"""attn batch on a Ray cluster of several processes, some of which are killed."""

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from batch_workers import kill, workers_below
from program import PAIRS, attn

ray = pytest.importorskip("ray", reason="pip install 'attn-cli[cluster]'")

from attn_cli.cli.batching import cluster, files  # noqa: E402

FROZEN = Path(__file__).parents[1] / "fixtures" / "bundle_v1"

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory):
    """A cluster of two CPUs, to which this process is connected."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        with cluster.cluster(None, 2):
            yield


@pytest.fixture
def texts(tmp_path):
    """Four files of 150 lines in random order, so that a lost or doubled record is noticed."""
    rng, inputs = random.Random(4), tmp_path / "in"
    inputs.mkdir()
    for name in "abcd":
        lines = [rng.choice(list(PAIRS)) for _ in range(150)]
        (inputs / f"{name}.en").write_text("".join(f"{line}\n" for line in lines))
    return inputs


@pytest.mark.slow
@pytest.mark.usefixtures("_cluster")
def test_no_record_is_lost_or_doubled_when_workers_are_killed_at_random(
    texts, tmp_path, monkeypatch
):
    rng, killed_pids = random.Random(7), []
    monkeypatch.setattr(files, "RECORDS", 16)
    run = cluster.run

    def run_and_kill(*args, **kwargs):
        for number, result in enumerate(run(*args, **kwargs)):
            if number in (1, 9, 20) and (workers := workers_below(os.getpid())):
                killed_pids.append(rng.choice(workers))
                kill(killed_pids[-1])
            yield result

    monkeypatch.setattr(cluster, "run", run_and_kill)
    ended = attn("batch", texts, "-m", FROZEN, "-o", tmp_path / "out", "--workers", "2")
    assert (ended.status, ended.stdout) == (0, b"")
    assert len(killed_pids) >= 2
    assert not set(killed_pids) & set(workers_below(os.getpid()))
    for path in texts.iterdir():
        expected = attn("translate", "-m", FROZEN, "-i", path)
        assert (tmp_path / "out" / path.name).read_bytes() == expected.stdout


def test_an_address_without_a_cluster_is_refused(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    out = ("-m", FROZEN, "-o", tmp_path / "out")
    ended = attn("batch", texts / "a.en", *out, "--address", address)
    assert (ended.status, ended.stdout, ended.err.count("\n")) == (2, b"", 1)
    assert f"no Ray cluster at {address}" in ended.err


def test_a_separate_process_writes_nothing_to_stdout_and_a_summary_to_stderr(texts, tmp_path):
    command = ["batch", texts / "a.en", "-m", FROZEN, "-o", tmp_path / "out", "--workers", "1"]
    ended = subprocess.run(
        [sys.executable, "-m", "attn_cli", *map(str, command)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    first, *_progress, last = ended.stderr.splitlines()  # progress lines if it takes seconds
    assert first == "1 file, 1 worker"
    assert last.startswith(f"1 file, 150 records in {tmp_path / 'out'} (")
    assert (tmp_path / "out" / ".attn-batch" / "ray.log").stat().st_size
    assert workers_below(os.getpid()) == []
