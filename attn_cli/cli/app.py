"""The program: mounts the commands, and turns every way of ending into an exit status.

Imports only the command that is called, and no command's work: `attn --help` costs Typer alone.
"""

import contextlib
import functools
import importlib
import os
import shlex
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Annotated, Any, BinaryIO, NoReturn

import typer
from typer.exceptions import TyperException

from attn_cli.cli.candidates import VARIABLE
from attn_cli.cli.help_text import HelpGroup, HelpTyper
from attn_cli.cli.options import command, console_of, show_help
from attn_cli.console import Console
from attn_cli.errors import AttnError, ExitStatus
from attn_cli.files.standard_streams import StdoutClosedError

#: What a host that only translates may do without, by the names they are imported by.
PACKAGES = {
    "onnx": "onnx",
    "pyarrow": "ray[data]",
    "ray": "ray[data]",
    "sacrebleu": "sacrebleu",
    "safetensors": "safetensors",
    "thot": "sil-thot",
    "torch": "torch",
    "typst": "typst",
}

ISSUES = "Please report it, with the command, what --debug prints, and what attn doctor prints."


class SigtermReceived(BaseException):
    """SIGTERM arrived: everything open is closed on the way out, then the status is 143."""


#: The commands in the order of `attn --help`. NAME is the function NAME of attn_cli/cli/NAME.py;
#: a group of commands is the Typer application `app` there.
COMMANDS = (
    "train",
    "translate",
    "align",
    "explain",
    "batch",
    "symmetrize",
    "lexicon",
    "score",
    "export",
    "runs",
    "completion",
    "doctor",
)
GROUPS = ("models",)

#: The commands that run whatever is in the user's config.toml.
WITHOUT_CONFIG = ("completion", "doctor")

#: The commands that need numpy, and that often run for less than a second.
WITH_NUMPY = ("translate", "align", "explain", "score", "lexicon", "symmetrize")


class LazyGroup(HelpGroup):
    """A group of commands, each built when it is called or listed in a help text.

    Typer takes 1 ms to build a command of many options, and a translation needs one of them.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        names = self.list_commands(ctx)
        if cmd_name not in names:  # Typer suggests a name from `self.commands`
            self.commands = dict.fromkeys(names)  # type: ignore[assignment]
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _build_command(cmd_name)
        return self.commands[cmd_name]


@functools.cache
def _build_command(name: str) -> Any:
    module = importlib.import_module(f"attn_cli.cli.{name}")
    built: Any
    if name in GROUPS:
        built = typer.main.get_group(module.app)
    else:
        app = HelpTyper(**_STYLE)
        run = command(
            getattr(module, name),
            reads_config=name not in WITHOUT_CONFIG,
            loads_numpy=name in WITH_NUMPY,
        )
        app.command(name)(run)
        built = typer.main.get_command(app)
    built.name = name
    return built


_STYLE: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}


_HELP = """Translate and align on the command line, and see the attention.

Examples:
  attn translate "I love you" --align
  attn align "I love you" "Je t'aime"
  attn train --source a.en --target a.fr --out runs/mine
  attn COMMAND --help             # all options of a command
  attn completion --install       # complete commands, models and recipe keys by Tab
"""


def build() -> typer.Typer:
    """Return the Typer application."""
    app = typer.Typer(
        name="attn",
        cls=LazyGroup,
        help=_HELP,
        context_settings={"help_option_names": ["-h", "--help"]},
        **_STYLE,
    )
    app.callback(invoke_without_command=True)(_root)
    return app


def _version(context: typer.Context, is_set: bool) -> None:
    if is_set:
        from attn_cli import __version__

        console_of(context).write(f"attn {__version__}\n")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """The options before the command."""
    show_help(context)


class ProcessSignals:
    """SIGINT and SIGTERM of this process as exceptions; `number` is that of the last one."""

    def __init__(self) -> None:
        self.number: int | None = None

    def install(self) -> None:
        """Handle both from now on."""
        signal.signal(signal.SIGINT, self._raise)
        signal.signal(signal.SIGTERM, self._raise)

    @property
    def status(self) -> ExitStatus:
        """The exit status that they call for, OK if none arrived."""
        if self.number is None:
            return ExitStatus.OK
        terminated = self.number == signal.SIGTERM
        return ExitStatus.TERMINATED if terminated else ExitStatus.INTERRUPTED

    def _raise(self, number: int, frame: FrameType | None) -> NoReturn:
        self.number = number
        raise SigtermReceived if number == signal.SIGTERM else KeyboardInterrupt


def run(arguments: list[str], console: Console, signals: ProcessSignals | None = None) -> int:
    """Run the command line `arguments` on `console`; returns the exit status."""
    console.arguments = tuple(arguments)
    try:
        program = typer.main.get_command(build())
        if VARIABLE in console.environment:  # Typer answers instead of running a command
            from typer._completion_classes import completion_init

            completion_init()
        result = program.main(arguments, prog_name="attn", standalone_mode=False, obj=console)
        return int(result) if isinstance(result, int) else ExitStatus.OK
    except (KeyboardInterrupt, typer.Abort):
        return ExitStatus.INTERRUPTED
    except SigtermReceived:
        return ExitStatus.TERMINATED
    except StdoutClosedError:
        return ExitStatus.OK
    except SystemExit as ending:  # of Typer
        return int(ending.code or 0)
    except Exception as error:
        # A library that is interrupted while it loads raises an error of its own.
        return (signals.status if signals else 0) or _report(error, console)


def _report(error: Exception, console: Console) -> ExitStatus:
    """Write what is wrong and what to do; returns the exit status."""
    match error:
        case AttnError():
            return _failed(error, console, error.problem, error.hint, error.status)
        case TyperException():
            hint = f"See {_command_name(error)} --help."
            return _failed(error, console, error.format_message(), hint, ExitStatus.USAGE)
        case MemoryError():
            hint = "Try smaller batches."
            return _failed(error, console, "not enough memory", hint, ExitStatus.BUG)
        case ModuleNotFoundError() if package := PACKAGES.get(_top_level(error.name)):
            problem = f"this needs {package}, which is not installed here"
            hint = f"Install it: pip install {shlex.quote(package)}"
            return _failed(error, console, problem, hint, ExitStatus.USAGE)
    what = f"a bug in attn: {type(error).__name__}: {error}"
    return _failed(error, console, what, ISSUES, ExitStatus.BUG)


def _top_level(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _failed(
    error: BaseException, console: Console, problem: str, hint: str, status: ExitStatus
) -> ExitStatus:
    if console.debug:
        console.raw("".join(traceback.format_exception(error)).rstrip())
    console.fail(problem, hint)
    return status


def _command_name(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "attn"


def main() -> NoReturn:
    """The entry point `attn`."""
    signals = ProcessSignals()
    signals.install()
    console = Console.of_process()
    status = run(sys.argv[1:], console, signals)
    _abandon(console.stdout)
    _abandon(console.stderr)
    _leave(status)


def _leave(status: int) -> NoReturn:
    """End the process without taking apart what its libraries have built.

    Everything is written and closed by now. The interpreter's exit, which frees each module and
    network, takes a fifth of the time of a sentence.
    """
    if threading.active_count() > 1:  # a thread still works
        sys.exit(status)
    os._exit(status)


def _abandon(stream: BinaryIO) -> None:
    """Flush a standard stream; if that fails, keep the interpreter from trying once more."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
