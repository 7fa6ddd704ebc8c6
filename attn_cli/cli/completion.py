"""attn completion: the script by which a shell completes the command line at Tab."""

from typing import Annotated, Literal, get_args

import typer

from attn_cli.cli.candidates import VARIABLE
from attn_cli.cli.options import console_of
from attn_cli.errors import DataError, UsageError

Shell = Literal["bash", "zsh", "fish", "powershell"]


def completion(
    context: typer.Context,
    shell: Annotated[
        Shell | None, typer.Argument(help="The shell. [the one that runs attn]")
    ] = None,
    install: Annotated[
        bool,
        typer.Option("--install", help="Write it to the shell's files; open a new shell then."),
    ] = False,
) -> None:
    """Print the script that completes commands, options, models, formats and recipe keys by Tab.

    With --install, write it to where the shell reads it at its start.

    Examples:
      attn completion --install           # bash, zsh, fish and PowerShell
      eval "$(attn completion bash)"      # for this shell alone
      attn completion fish > ~/.config/fish/completions/attn.fish
    """
    from typer._completion_shared import install as write_script

    console = console_of(context)
    name = shell or _running_shell()
    if not install:
        console.write(_script(name))
        return
    try:
        _, path = write_script(shell=name, prog_name="attn", complete_var=VARIABLE)
        if name == "bash":
            path.write_text(_script(name), encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"cannot write the completion of {name}: {error.strerror}",
            f"Write the script to where {name} reads it: attn completion {name}",
        ) from error
    console.info(f"attn: completion for {name} is installed in {path}; open a new shell")


#: Typer's script for bash splits words at `=`, as readline does, so that it completes no value of
#: a recipe key. This one passes the line as it is, in the form that fish's script has.
_BASH = """\
_attn_completion() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} current
    COMPREPLY=( $( env VARIABLE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \\
                   _TYPER_COMPLETE_ARGS="$line" "$1" 2>/dev/null ) )
    COMPREPLY=( "${COMPREPLY[@]%%$'\\t'*}" )    # without the help
    current=${line##*[[:space:]]}
    if [[ $current == *=* ]]; then              # readline replaces what follows the sign
        COMPREPLY=( "${COMPREPLY[@]#"${current%%=*}="}" )
    fi
    if [[ ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

complete -o default -F _attn_completion attn
"""


def _script(shell: str) -> str:
    from typer._completion_shared import get_completion_script

    if shell == "bash":
        return _BASH.replace("VARIABLE", VARIABLE)
    return get_completion_script(prog_name="attn", complete_var=VARIABLE, shell=shell) + "\n"


def _running_shell() -> str:
    from shellingham import ShellDetectionFailure, detect_shell

    try:
        name = str(detect_shell()[0])
    except (ShellDetectionFailure, RuntimeError, OSError):
        name = ""
    name = "powershell" if name == "pwsh" else name
    if name not in get_args(Shell):
        raise UsageError(
            f"the shell {name} has no completion" if name else "the shell is unknown",
            "Name one: attn completion bash (or zsh, fish, powershell).",
        )
    return name
