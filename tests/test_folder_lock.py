"""One process at a time holds the lock of a folder, and a process that ended holds none."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from attn_cli.errors import UsageError
from attn_cli.files.folder_lock import LOCK, lock_folder

#: A program that holds the lock of a folder until it is killed; its forked child lives longer.
HOLDER = """
import os, sys, time
from pathlib import Path
from attn_cli.files.folder_lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    if hasattr(os, "fork"):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(1)
            os.write(writer, b".")
            os.read(0, 1)
            os._exit(0)
        os.read(reader, 1)  # the child has now closed its copy of the lock
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_number_of_the_first(holder, tmp_path):
    with pytest.raises(UsageError, match=f"in use: process {holder.pid} is writing"):  # noqa: SIM117
        with lock_folder(tmp_path):
            pass


def test_the_lock_of_a_killed_process_is_free_although_its_child_lives(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with lock_folder(tmp_path):
        assert (tmp_path / LOCK).read_text().split()[0] == str(os.getpid())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_a_stopped_process_still_holds_its_lock(holder, tmp_path):
    os.kill(holder.pid, signal.SIGSTOP)
    with pytest.raises(UsageError):  # noqa: SIM117
        with lock_folder(tmp_path):
            pass


def test_a_released_lock_leaves_no_file_and_can_be_taken_again(tmp_path):
    for _ in range(2):
        with lock_folder(tmp_path), pytest.raises(UsageError), lock_folder(tmp_path):
            pass
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_in_a_folder_that_cannot_be_written_the_work_goes_on_without_a_lock(
    number, tmp_path, monkeypatch
):
    """The refusal is simulated, since chmod does not stop root."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with lock_folder(tmp_path), lock_folder(tmp_path):  # a lock would refuse the second
            pass
    assert list(tmp_path.iterdir()) == []
