"""Record a training of the demo, and draw its panel as an animated picture.

    python docs/training/panel.py record docs/training/demo.jsonl
    python docs/training/panel.py draw docs/training/demo.jsonl docs/training/demo.svg

`record` trains the demo corpus and writes its events, those of log.jsonl, with the tables of the
sentence that it shows. `draw` shows the events to the panel that `attn train` draws on a terminal
and writes the frames as one SVG, animated by CSS: it holds no script and loads nothing.
The same events give the same bytes.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

from attn_cli.cli.progress import update_panel
from attn_cli.render.training import TrainingPanel
from attn_cli.training import events
from attn_cli.types import SoftAlignment

SENTENCE = "I love you"
SETTINGS = [
    "train.max_steps=300",
    "train.aligner_steps=100",
    "train.validate_every=50",
    "train.log_every=20",
]

COLUMNS, ROWS = 84, 22
CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 18, 14, 16
BACKGROUND, FOREGROUND = "#11151c", "#d6dae0"
STEP = 1 / 6  # of the bar of the word links and of the word aligner, between two frames
SECONDS_PER_FRAME, SECONDS_AT_THE_END = 0.3, 5.0
COLORS = {
    "cyan": "#56c2d6",
    "magenta": "#d78bd0",
    "green": "#7cc47f",
    "yellow": "#d8b45a",
    "red": "#e07a72",
}
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def record(recording: Path) -> None:
    """Train the demo corpus in a temporary folder and write its events to `recording`."""
    from attn_cli import config
    from attn_cli.bundles import registry
    from attn_cli.training import resume
    from attn_cli.training.pipeline import train
    from attn_cli.training.train_run import TrainRun

    base = registry.demo_corpus()
    recipe = config.with_settings(config.load(base / "recipe.toml"), SETTINGS)
    with tempfile.TemporaryDirectory() as folder, recording.open("w", encoding="utf-8") as file:
        out = Path(folder)
        began = time.monotonic()
        plan = resume.write_plan(out, config.rebase_paths(recipe, base, out), None, {})

        def write(event: events.Event) -> None:
            row = {"time": round(time.monotonic() - began, 2), **events.record(event)}
            sample = getattr(event, "sample", None)
            if sample is not None:
                row["sample"] = _table_as_json(sample)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()

        run = TrainRun(out, plan=plan, threads=1, workers=1, watch=(SENTENCE, None), live=True)
        train(plan.recipe, run, emit=write)


def _table_as_json(table: SoftAlignment) -> dict[str, Any]:
    row = asdict(table)
    for name in ("weights", "unaligned"):
        row[name] = np.round(row[name].astype(float), 4).tolist()
    row.pop("links")
    return row


def _table_from_json(row: dict[str, Any]) -> SoftAlignment:
    arrays = {name: np.array(row[name], np.float32) for name in ("weights", "unaligned")}
    words = {name: tuple(row[name]) for name in ("source", "target")}
    return SoftAlignment(**(row | arrays | words))


def read_events(recording: Path) -> list[tuple[float, events.Event]]:
    """Return the events of a recording, each with its seconds since the training began."""
    kinds = {name: kind for kind, name in events.NAMES.items()}
    rows = [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]
    result = []
    for row in rows:
        kind = kinds[row["event"]]
        values = {field.name: row[field.name] for field in fields(kind) if field.name in row}
        if values.get("sample") is not None:
            values["sample"] = _table_from_json(values["sample"])
        if "phases" in values:
            values["phases"] = tuple(values["phases"])
        result.append((float(row["time"]), kind(**values)))
    return result


@dataclass(frozen=True)
class Span:
    """Cells of one style in a row of the terminal: `column` is where they begin."""

    column: int
    text: str
    style: Style


Row = tuple[Span, ...]
Frame = tuple[Row, ...]


def frames_of(recording: Path) -> list[Frame]:
    """Return the pictures of the panel after each event, consecutive equal ones once."""
    panel = TrainingPanel("demo")
    frames: list[Frame] = []
    now, drawn = 0.0, 0.0
    panel.elapsed = lambda: now
    for seconds, event in read_events(recording):
        now = seconds
        update_panel(panel, event)
        if isinstance(event, events.Progress | events.ValidationFinished):
            continue  # the table of the sentence follows, and is drawn with it
        if isinstance(event, events.AlignmentProgress | events.AlignerTrainingProgress):
            done = panel.stage.done if panel.stage and panel.stage.done else 0.0
            if 0 < done - drawn < STEP:
                continue
            drawn = done
        frame = _draw(panel)
        if not frames or frame != frames[-1]:
            frames.append(frame)
    panel.end(*(panel.result or ("done", True)))
    return [*frames, _draw(panel)]


def _draw(panel: TrainingPanel) -> Frame:
    console = Console(
        file=StringIO(),
        width=COLUMNS,
        height=ROWS,
        color_system="truecolor",
        force_terminal=True,
        legacy_windows=False,
        _environ={},
    )
    return tuple(_row(line) for line in console.render_lines(panel, pad=False))[:ROWS]


def _row(segments: list[Segment]) -> Row:
    column, spans = 0, []
    for text, style, control in segments:
        if control:
            continue
        style = style or Style.null()
        if text.strip() or style.bgcolor:
            spans.append(Span(column, text, style))
        column += cell_len(text)
    return tuple(spans)


Intervals = dict[tuple[int, Row], list[tuple[int, int]]]


def _intervals(frames: list[Frame]) -> Intervals:
    """Return for each row of text, by its number and content, the ranges of frames that show it."""
    intervals: Intervals = {}
    for number, frame in enumerate(frames):
        for line, row in enumerate(frame):
            if not row:
                continue
            ranges = intervals.setdefault((line, row), [])
            if ranges and ranges[-1][1] == number:
                ranges[-1] = (ranges[-1][0], number + 1)
            else:
                ranges.append((number, number + 1))
    return intervals


def to_svg(frames: list[Frame]) -> str:
    """Return the frames as one animated SVG, whose last frame is what is seen without animation."""
    count = len(frames)
    shown = count * SECONDS_PER_FRAME + SECONDS_AT_THE_END
    animations: dict[tuple[tuple[int, int], ...], str] = {}
    styles: dict[str, str] = {}
    body = []
    for (line, row), ranges in sorted(_intervals(frames).items(), key=lambda item: item[0][0]):
        classes = []
        if ranges != [(0, count)]:
            name = animations.setdefault(tuple(ranges), f"a{len(animations)}")
            classes = [name] if ranges[-1][1] == count else [name, "h"]
        attribute = f' class="{" ".join(classes)}"' if classes else ""
        body.append(f"<g{attribute}>{_row_as_svg(line, row, styles)}</g>")
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = ROWS * CELL_HEIGHT + 2 * MARGIN
    css = [
        f"text{{font:{FONT_SIZE}px {FONTS};white-space:pre;fill:{FOREGROUND}}}",
        ".h{visibility:hidden}",
        *(f".{name}{{{rule}}}" for rule, name in styles.items()),
        "@media(prefers-reduced-motion:no-preference){",
        *(
            f".{name}{{animation:{name} {shown:.1f}s step-end infinite}}"
            f"@keyframes {name}{{{_keyframes(ranges, count, shown)}}}"
            for ranges, name in animations.items()
        ),
        "}",
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img">',
            "<title>The panel of a training</title>",
            f"<style>{''.join(css)}</style>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _keyframes(ranges: tuple[tuple[int, int], ...], count: int, shown: float) -> str:
    """Return when a row is visible: from the start of each range to its end, in percent."""

    def at(frame: int) -> str:
        return f"{min(100.0, 100 * frame * SECONDS_PER_FRAME / shown):.2f}%"

    steps = [] if ranges[0][0] == 0 else ["0%{visibility:hidden}"]
    for start, end in ranges:
        steps.append(f"{at(start) if start else '0%'}{{visibility:visible}}")
        if end < count:
            steps.append(f"{at(end)}{{visibility:hidden}}")
    steps.append(f"100%{{visibility:{'visible' if ranges[-1][1] == count else 'hidden'}}}")
    return "".join(steps)


def _row_as_svg(line: int, row: Row, styles: dict[str, str]) -> str:
    """Return the backgrounds and the text of a row. `styles` maps a CSS rule to its class."""
    top = MARGIN + line * CELL_HEIGHT
    boxes, texts = [], []
    for span in row:
        width = cell_len(span.text) * CELL_WIDTH
        left = MARGIN + span.column * CELL_WIDTH
        if span.style.bgcolor is not None:
            boxes.append(
                f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{CELL_HEIGHT}" '
                f'fill="{_color(span.style.bgcolor)}"/>'
            )
        text = span.text.strip()
        if text:
            before = cell_len(span.text) - cell_len(span.text.lstrip())
            x = left + before * CELL_WIDTH
            rule = _css_of(span.style)
            name = f' class="{styles.setdefault(rule, f"s{len(styles)}")}"' if rule else ""
            length = f' textLength="{cell_len(text) * CELL_WIDTH:.1f}"'
            texts.append(f'<tspan x="{x:.1f}"{length}{name}>{escape(text)}</tspan>')
    baseline = top + CELL_HEIGHT - 5
    return "".join(boxes) + (f'<text y="{baseline}">{"".join(texts)}</text>' if texts else "")


def _css_of(style: Style) -> str:
    color = _color(style.color) if style.color is not None else ""
    rules = [f"fill:{color}"] if color else []
    rules += ["font-weight:bold"] if style.bold else []
    rules += ["opacity:.6"] if style.dim else []
    return ";".join(rules)


def _color(color: Color) -> str:
    if color.is_default:
        return ""
    return COLORS.get(color.name) or color.get_truecolor().hex


def main() -> None:
    """Run `record RECORDING` or `draw RECORDING PICTURE`."""
    match sys.argv[1:]:
        case ["record", recording]:
            record(Path(recording))
        case ["draw", recording, picture]:
            Path(picture).write_text(to_svg(frames_of(Path(recording))), encoding="utf-8")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
