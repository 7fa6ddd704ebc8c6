"""Fixtures of all tests: one tiny model, trained once by the program itself."""

import gc
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from program import LINKS, PAIRS, TINY, WORD_ALIGNER, attn

# A shell ignores SIGINT for a command in the background; the tests of interruption need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A few examples of each property in `make test`, many in `make slow`. No test depends on a clock or
# on chance: a loaded machine generates examples slowly.
for name, count in {"few": 40, "many": 300}.items():
    settings.register_profile(
        name,
        derandomize=True,
        deadline=None,
        max_examples=count,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("few")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep modules and tests out of the garbage collector: it would visit them again and again."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that share a module's fixture on one worker, so that it is built only once."""
    for item in items:
        fixtures = getattr(item, "_fixtureinfo", None)
        definitions = fixtures.name2fixturedefs.values() if fixtures else ()
        if any(each[-1].scope == "module" for each in definitions if each):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def _temporary_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a temporary home folder, so that tests write nothing into the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTN_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return build(name, make): the folder `name`, made by the first worker that needs it.

    `make` takes the folder, which does not exist yet, and fills it; the other workers wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    # At the same depth as a test's own folder, so that a copied run finds its text by the same
    # relative path.
    shared = (
        base.parent / "shared" / "once" if "PYTEST_XDIST_WORKER" in os.environ else base / "shared"
    )
    shared.mkdir(parents=True, exist_ok=True)

    def build(name: str, make: Callable[[Path], None]) -> Path:
        with FileLock(shared / f"{name}.lock"):
            if not (shared / f"{name}.ready").exists():
                shutil.rmtree(shared / name, ignore_errors=True)  # left by a worker that failed
                make(shared / name)
                (shared / f"{name}.ready").touch()
        return shared / name

    return build


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pairs of the tiny model, as source<TAB>target lines."""
    path = tmp_path_factory.mktemp("text") / "pairs.tsv"
    path.write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS.items()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(build_once: Callable[..., Path], pairs_file: Path) -> Path:
    """The folder of a model that has learned all PAIRS. Read it, do not change it."""

    def make(out: Path) -> None:
        text = ("--pairs", pairs_file, "--valid-pairs", pairs_file)
        limits = ("--max-steps", "160", "--set", "train.validate_every=80", "--set", "name=tiny")
        result = attn("train", *text, "--out", out, *TINY, *limits, *("--set", "source=en"))
        assert result.status == 0, result.err

    return build_once("tiny", make)


@pytest.fixture(scope="session")
def links_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The links of these pairs, line by line."""
    path = tmp_path_factory.mktemp("links") / "pairs.links"
    path.write_text("".join(f"{links}\n" for links in LINKS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_with_aligner(
    build_once: Callable[..., Path], tiny: Path, pairs_file: Path, links_file: Path
) -> Path:
    """The tiny model with a word aligner, which has learned LINKS. Do not change it either."""

    def make(out: Path) -> None:
        text = ("--from", tiny, "--pairs", pairs_file, "--valid-pairs", pairs_file, "--out", out)
        links = ("--set", f"train.guided_alignment={links_file}")
        still = ("--max-steps", "1", "--set", "train.learning_rate=1e-6", "--set", "name=aligner")
        result = attn("train", *text, *TINY, *WORD_ALIGNER, *links, *still)
        assert result.status == 0, result.err

    return build_once("tiny_with_aligner", make)


@pytest.fixture
def model_copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, for a test to damage."""
    return Path(shutil.copytree(tiny, tmp_path / "model_copy"))


@pytest.fixture
def _empty_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty registry, and no default model."""
    monkeypatch.setenv("ATTN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ATTN_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The empty home folder of a user without variables of attn or XDG."""
    for name in ("ATTN_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ATTN_MODEL", "")  # so that the value that a command sets is removed again
    monkeypatch.delenv("ATTN_MODEL")
    return tmp_path
