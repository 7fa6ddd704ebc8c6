"""attn runs: the trainings in some folders, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attn_cli.cli.options import console_of
from attn_cli.errors import UsageError

if TYPE_CHECKING:
    from attn_cli.training.runs import Run


def runs(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR]…", help="Folders of trainings, or folders that contain some. [runs]"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON: an array of objects with all validations.")
    ] = False,
) -> None:
    """Compare trainings: state, progress, scores, and differences of their recipes.

    On a terminal, also draw their curves. States: running, finished, interrupted, crashed.

    Examples:
      attn runs
      attn runs runs/a runs/b --json
    """
    from attn_cli.training.runs import find_runs, read_run, recipe_differences

    console = console_of(context)
    named = folders or [Path("runs")]
    for folder in named:
        if folders and not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", "Name the --out folder of attn train.")
    paths = dict.fromkeys(path for folder in named for path in find_runs(folder))
    trainings = [read_run(path) for path in paths]
    differ = recipe_differences(trainings)
    if as_json:
        import json

        records = [_record(run, each) for run, each in zip(trainings, differ, strict=True)]
        console.write(json.dumps(records, ensure_ascii=False, indent=2) + "\n")
        return
    if not trainings:
        console.info(f"attn: no runs in {', '.join(map(str, named))}; attn train makes one")
        return
    from attn_cli.render.run_rows import HEADINGS, RunRow, cells

    rows = [
        RunRow(
            str(run.folder),
            run.state,
            run.updates,
            run.minutes,
            run.loss,
            run.bleu,
            " ".join(f"{key}={_plain(value)}" for key, value in each.items()),
            run.losses,
            run.bleus,
        )
        for run, each in zip(trainings, differ, strict=True)
    ]
    if console.stdout_is_terminal:
        from attn_cli.render.runs import RunsTable

        console.show(RunsTable(rows))
        return
    for line in (HEADINGS, *map(cells, rows)):
        console.write("\t".join(cell.translate(_ONE_LINE) for cell in line) + "\n")


_ONE_LINE = str.maketrans("\t\n\r", "   ")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def _record(run: "Run", differs: dict[str, Any]) -> dict[str, Any]:
    return {
        "folder": str(run.folder),
        "state": run.state,
        "updates": run.updates,
        "minutes": round(run.minutes, 2),
        "loss": run.loss,
        "bleu": run.bleu,
        "resumable": run.resumable,
        "differs": differs,
        "validations": [
            {"step": int(step), "loss": loss, "bleu": bleu}
            for (step, loss), (_, bleu) in zip(run.losses, run.bleus, strict=True)
        ],
        "recipe": run.recipe,
    }
