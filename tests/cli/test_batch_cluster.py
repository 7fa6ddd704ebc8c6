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
    """A cluster of two CPUs, joined by this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        with cluster.cluster(None, 2):
            yield


@pytest.fixture
def texts(tmp_path):
    """Four files of 150 lines, each of which says where it is by the order of its subjects."""
    chance, inputs = random.Random(4), tmp_path / "in"
    inputs.mkdir()
    for name in "abcd":
        lines = [chance.choice(list(PAIRS)) for _ in range(150)]
        (inputs / f"{name}.en").write_text("".join(f"{line}\n" for line in lines))
    return inputs


@pytest.mark.slow
@pytest.mark.usefixtures("_cluster")
def test_workers_killed_at_random_cost_no_record_and_double_none(texts, tmp_path, monkeypatch):
    chance, killed = random.Random(7), []
    monkeypatch.setattr(files, "RECORDS", 16)
    run = cluster.run

    def deadly(*given, **how):
        for number, result in enumerate(run(*given, **how)):
            if number in (1, 9, 20) and (workers := workers_below(os.getpid())):
                killed.append(chance.choice(workers))
                kill(killed[-1])
            yield result

    monkeypatch.setattr(cluster, "run", deadly)
    ended = attn("batch", texts, "-m", FROZEN, "-o", tmp_path / "out", "--workers", "2")
    assert (ended.status, ended.stdout) == (0, b"")
    assert len(killed) >= 2
    assert not set(killed) & set(workers_below(os.getpid()))
    for path in texts.iterdir():
        one = attn("translate", "-m", FROZEN, "-i", path)
        assert (tmp_path / "out" / path.name).read_bytes() == one.stdout


def test_an_address_where_no_cluster_is_is_refused(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    out = ("-m", FROZEN, "-o", tmp_path / "out")
    ended = attn("batch", texts / "a.en", *out, "--address", address)
    assert (ended.status, ended.stdout, ended.err.count("\n")) == (2, b"", 1)
    assert f"no Ray cluster at {address}" in ended.err


def test_a_process_of_its_own_says_nothing_on_stdout_and_little_on_stderr(texts, tmp_path):
    command = ["batch", texts / "a.en", "-m", FROZEN, "-o", tmp_path / "out", "--workers", "1"]
    ended = subprocess.run(
        [sys.executable, "-m", "attn_cli", *map(str, command)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    first, *_progress, last = ended.stderr.splitlines()  # progress where it takes seconds
    assert first == "1 file, 1 worker"
    assert last.startswith(f"1 file, 150 records in {tmp_path / 'out'} (")
    assert (tmp_path / "out" / ".attn-batch" / "ray.log").stat().st_size
    assert workers_below(os.getpid()) == []
