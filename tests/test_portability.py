"""Names that only POSIX has are used only where there is another way for other systems, and no
expression that early Pythons match wrongly."""

import ast
import ctypes
import errno
import importlib.util
import io
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from attn_cli import console
from attn_cli.alignment import aligner_processes
from attn_cli.files import atomic, reading, standard_streams

PACKAGE = Path(console.__file__).parent

#: Modules that Windows lacks, and attributes: "Availability: Unix" in the documentation of Python.
MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
ATTRIBUTES = {
    "os": {
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG", "chown", "chroot"),
        *("fchmod", "fchown", "fork", "forkpty", "getloadavg", "getpgid", "getpgrp", "getpriority"),
        *("getuid", "geteuid", "getgid", "killpg", "lchown", "lockf", "mkfifo", "mknod", "nice"),
        *(
            "openpty",
            "pread",
            "pwrite",
            "register_at_fork",
            "sched_getaffinity",
            "sched_setaffinity",
        ),
        *("sendfile", "setpgid", "setpgrp", "setpriority", "setsid", "statvfs", "sync", "uname"),
        *("wait", "waitid", "wait3", "wait4"),
    },
    "signal": {
        *("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP"),
        *("SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGXFSZ", "alarm", "pause", "pthread_kill"),
        *("pthread_sigmask", "setitimer", "sigpending", "sigtimedwait", "sigwait"),
    },
    "select": {"epoll", "kqueue", "poll", "PIPE_BUF"},
    "socket": {"AF_UNIX"},
}

#: Each use. A test below, or the code around the use, has the way for other systems.
USES = {
    "alignment/aligner_processes.py": {"os.killpg", "os.setpgrp", "signal.SIGKILL"}
    | {"signal.pthread_sigmask"},
    "console.py": {"os.sched_getaffinity"},
    "files/folder_lock.py": {"fcntl", "os.register_at_fork"},
    "files/terminal_keys.py": {"termios", "tty"},
}


def posix_names(path):
    """Yield the names of MODULES and ATTRIBUTES that a module uses."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name in MODULES)
            case ast.ImportFrom(module=module, names=names) if module in MODULES | set(ATTRIBUTES):
                yield from (
                    module if module in MODULES else f"{module}.{each.name}"
                    for each in names
                    if module in MODULES or each.name in ATTRIBUTES[module]
                )
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                if name in ATTRIBUTES.get(module, ()):
                    yield f"{module}.{name}"


def test_names_that_only_posix_has_are_used_only_in_listed_modules():
    uses = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if (names := set(posix_names(path)))
    }
    assert uses == USES


@pytest.fixture
def windows(monkeypatch):
    """A simulated Windows: its platform name, and none of the names in USES."""
    monkeypatch.setattr(sys, "platform", "win32")
    for uses in USES.values():
        for name in uses:
            module, _, attribute = name.partition(".")
            if attribute:
                monkeypatch.delattr(globals()[module], attribute, raising=False)
    monkeypatch.delattr(os, "O_NONBLOCK", raising=False)


def test_no_possessive_quantifier_repeats_a_group():
    """Python before 3.11.5 matches it wrongly (gh-106052): it split `you` into `yo` and `u`."""
    repeated = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+")
    names = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if repeated.search(path.read_text(encoding="utf-8"))
    ]
    assert not names


@pytest.mark.usefixtures("windows")
def test_without_cpu_affinity_all_cores_of_the_machine_are_available(monkeypatch):
    for count, expected in ((64, 64), (None, 1)):  # None: unknown
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert console.available_cores() == expected


@pytest.mark.usefixtures("windows")
def test_records_are_written_where_select_takes_only_sockets(tmp_path):
    with open(tmp_path / "out", "wb") as file:
        standard_streams.write_records(file, [b"one\n", b"two\n"])
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\n"


@pytest.mark.usefixtures("windows")
def test_a_small_file_is_read_without_flags_of_posix(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    assert reading.read_small(tmp_path / "a", limit=10) == b"text"
    with pytest.raises(OSError, match="more than 3 bytes") as error:
        reading.read_small(tmp_path / "a", limit=3)
    assert error.value.errno == errno.EFBIG


@pytest.mark.usefixtures("windows")
def test_a_file_is_replaced_where_no_folder_can_be_synced(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("a folder cannot be opened there"))
    atomic.write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_two_folders_are_not_exchanged_without_a_c_library(tmp_path, monkeypatch):
    def refuse(name, **_):
        raise TypeError("bad argument type for built-in operation")  # CDLL(None) on Windows

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    for name in "ab":
        (tmp_path / name).mkdir()
    assert not atomic.exchange(tmp_path / "a", tmp_path / "b")


def test_keys_are_not_read_where_there_is_no_termios(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "termios" else find(name)
    )
    streams = {name: io.BytesIO() for name in ("stdin", "stdout", "stderr")}
    terminal = dict.fromkeys(
        ("stdin_is_live", "stdin_is_terminal", "stdout_is_terminal", "stderr_is_terminal"), True
    )
    assert not console.Console(**streams, **terminal, environment={}).reads_keys


@pytest.mark.usefixtures("windows")
def test_processes_start_where_no_signal_can_be_blocked():
    with aligner_processes._block_sigint():
        assert not hasattr(signal, "pthread_sigmask")


@pytest.mark.usefixtures("windows")
def test_a_process_without_a_group_is_killed_alone():
    class Process:
        pid, calls = 2**31 - 1, ""  # of no process

        def kill(self):
            self.calls += "killed "

        def join(self):
            self.calls += "joined"

    worker = aligner_processes._Process.__new__(aligner_processes._Process)
    worker._process, worker._receiver = Process(), io.BytesIO()
    worker.end()
    assert worker._process.calls == "killed joined"
