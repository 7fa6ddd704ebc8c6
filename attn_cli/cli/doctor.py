"""attn doctor: what a bug report needs, and what is wrong with this installation."""

import json
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from attn_cli.cli.options import console_of
from attn_cli.console import Console, available_cores
from attn_cli.errors import AttnError

#: The packages that attn imports, by the names they are installed by.
_PACKAGES = (
    *("numpy", "onnx", "onnxruntime", "ray", "rich", "sacrebleu", "safetensors"),
    *("sentencepiece", "sil-thot", "torch", "typer"),
)

#: The variables that change what attn does. Others may hold secrets, and are not shown.
_VARIABLES = (
    *("ATTN_HOME", "ATTN_MODEL", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLORTERM", "COLUMNS"),
    *("LANG", "LC_ALL", "PYTHONUTF8", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
)

Report = dict[str, dict[str, Any]]


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Print what a bug report needs: versions, devices, folders, models, and problems.

    Nothing is sent anywhere. Your home folder is written as ~.

    Examples:
      attn doctor
      attn doctor --json > report.json
    """
    console = console_of(context)
    problems: list[str] = []
    report: Report = {
        "attn": _program(),
        "system": _system(console),
        "packages": dict(_packages()),
        "devices": dict(_devices(problems)),
        "terminal": _terminal(console),
        "environment": {
            name: value for name in _VARIABLES if (value := console.environment.get(name))
        },
        "folders": dict(_folders(console, problems)),
        "models": dict(_models(problems)),
    }
    problems = list(dict.fromkeys(problems))
    if as_json:
        text = json.dumps(report | {"problems": problems}, ensure_ascii=False, indent=2)
        console.write(_without_home(text) + "\n")
        return
    lines = []
    for section, facts in report.items():
        lines += [section, *(f"  {name}: {value}" for name, value in facts.items()), ""]
    lines += ["problems", *(f"  {each}" for each in problems or ["none"])]
    console.write(_without_home("\n".join(lines)) + "\n")


def _program() -> dict[str, Any]:
    from attn_cli import __version__

    return {"version": __version__, "installed in": str(Path(__file__).resolve().parents[1])}


def _system(console: Console) -> dict[str, Any]:
    return {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": f"{os.cpu_count()}, of which this process may use {available_cores()}",
    }


def _packages() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "not installed"


def _devices(problems: list[str]) -> Iterator[tuple[str, str]]:
    """Where torch and ONNX Runtime compute; what cannot be imported is a problem."""
    try:
        from attn_cli.inference.engines.onnx import available_providers

        yield "onnxruntime", ", ".join(available_providers())
    except Exception as error:  # a library that does not fit this machine ends in any way
        problems.append(f"onnxruntime cannot be used: {error}")
    try:
        from attn_cli.nn.device import describe_devices

        yield from describe_devices().items()
    except ModuleNotFoundError:
        yield "torch", "not installed: models with graphs translate without it"
    except Exception as error:
        problems.append(f"torch cannot be used: {error}")


def _terminal(console: Console) -> dict[str, Any]:
    terminals = {
        "stdin": console.stdin_is_terminal,
        "stdout": console.stdout_is_terminal,
        "stderr": console.stderr_is_terminal,
    }
    names = [name for name, is_terminal in terminals.items() if is_terminal]
    return {
        "terminals": ", ".join(names) or "none",
        "columns": console.width,
        "colors on stdout": console.has_color(stderr=False),
    }


def _folders(console: Console, problems: list[str]) -> Iterator[tuple[str, str]]:
    from attn_cli.cli.user_config import config_file, load_user_config
    from attn_cli.files import user_folders

    file = config_file()
    yield "config", f"{file}{'' if file.exists() else ' (none)'}"
    try:
        load_user_config(file).apply(console)
    except AttnError as error:
        problems.append(f"{error.problem}. {error.hint}")
    for name, folder in (
        ("models", user_folders.data_folder()),
        ("cache", user_folders.cache_folder()),
    ):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if not there.is_dir():
            problems.append(f"the folder of {name}, {folder}, cannot be written: {there} is a file")
        elif not os.access(there, os.W_OK):
            problems.append(f"the folder of {name}, {folder}, cannot be written")
        free = shutil.disk_usage(there).free / 1e9
        yield name, f"{folder}{'' if folder.exists() else ' (none yet)'}, {free:.1f} GB free"


def _models(problems: list[str]) -> Iterator[tuple[str, str]]:
    """Each registered model, after its checksums have been verified."""
    from attn_cli.bundles import registry
    from attn_cli.bundles.manifest import verify_checksums

    default = registry.default_name()
    yield "default", default or registry.DEFAULT
    try:
        registry.find(None)
    except AttnError as error:
        problems.append(error.problem)
    for name, path in registry.names():
        try:
            facts = verify_checksums(path)
        except AttnError as error:
            problems.append(error.problem)
            yield name, f"{path}, damaged"
            continue
        size = sum(entry["bytes"] for entry in facts["files"].values()) / 1e6
        precision = facts.get("precision")
        graphs = f"graphs in {precision}" if precision else "no graphs"
        yield name, f"{path}, {size:.1f} MB, {graphs}, {facts.get('written_by', 'unknown')}"


def _without_home(text: str) -> str:
    """Return the text with the home folder as ~."""
    from attn_cli.files import user_folders

    home = user_folders.home_folder()
    return text if home is None else text.replace(str(home), "~")
