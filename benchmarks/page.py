"""Measure the page of --format html: its size, and the CPU time of a browser until it is painted.

    python benchmarks/page.py
    python benchmarks/page.py --pairs 10000 --words 30
    python benchmarks/page.py --files former.html     # another page, in turn with these

The pairs are generated: sentences of --words words, each with the attention of a decoder and the
probabilities of a word aligner, sampled from a sparse Dirichlet distribution. Chromium opens each
page --repeat times from a file, each time in a new window, in turn with "empty", a page of one
word. The browser's trace gives the CPU time of the page's thread: until the first paint with
content, until the paint of the first pair's words and links, and until that of the whole list. The
wall time of the first paint, which depends on other work of the machine, is measured too.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import Skipped, describe_conditions, say, table

from attn_cli.render.html.page import Page, PageWriter
from attn_cli.types import SoftAlignment, Translation, WordAlignment

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Event = dict[str, Any]

_EMPTY = "<!doctype html><meta charset=utf-8><title>empty</title><p>word"

#: The categories of the trace: tasks, paints, and the marks of the page.
_CATEGORIES = ["toplevel", "devtools.timeline", "blink.user_timing", "loading"]

_COLUMNS = ["first paint", "first pair", "whole list", "first paint, wall time"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", default=[1, 1000])
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--files", type=Path, nargs="*", default=[])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pages = {"empty": Path(folder) / "empty.html"}
        pages["empty"].write_text(_EMPTY)
        for count in options.pairs:
            name = f"{count:,} pairs"
            pages[name] = Path(folder) / f"{count}.html"
            pages[name].write_text(page_of(count, options.words), encoding="utf-8")
        pages |= {file.name: file for file in options.files}
        times = measure(pages, options.repeat)
        rows = [
            [
                name,
                f"{file.stat().st_size / 1e6:.2f}",
                *(f"{statistics.median(each):.0f}" for each in zip(*times[name], strict=True)),
            ]
            for name, file in pages.items()
        ]
    heads = ["page", "MB", *(f"{name}, ms" for name in _COLUMNS)]
    print(table(heads, rows) + describe_conditions())


def page_of(count: int, words: int) -> str:
    """Return a page of `count` pairs."""
    generator = np.random.default_rng(0)
    names = [f"word{n}" for n in range(500)]
    page = PageWriter(Page("benchmark", minimum={"attention": 0.3, "alignment": 0.5}))
    parts = [page.begin()]
    for line in range(1, count + 1):
        source, target = (tuple(generator.choice(names, words).tolist()) for _ in range(2))
        attention, alignment = (
            SoftAlignment(
                source,
                target,
                weights := generator.dirichlet(np.full(words, 0.1), words).astype(np.float32),
                np.maximum(1 - weights.sum(axis=1), 0),
                kind,
            )
            for kind in ("attention", "alignment")
        )
        cells = np.argwhere(attention.weights >= 0.3)
        links = WordAlignment(frozenset((int(s), int(t)) for t, s in cells), words, words)
        text = " ".join(source), " ".join(target)
        translation = Translation(
            line, *text, source, target, alignment=attention, others=(alignment,), confidence=0.5
        )
        parts.append(page.pair(translation, links))
    return "".join([*parts, page.end()])


def measure(pages: dict[str, Path], repeat: int) -> dict[str, list[list[float]]]:
    """Return the times of _COLUMNS of each page, in ms, for each time it is opened."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise Skipped("there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    times: dict[str, list[list[float]]] = {name: [] for name in pages}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for turn in range(repeat):
            for name, file in pages.items():
                times[name].append(times_of(open_page(browser, file)))
            say(f"turn {turn + 1} of {repeat}")
        browser.close()
    return times


def open_page(browser: "Browser", file: Path) -> list[Event]:
    """Open a page; return the events of the browser until it is complete."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = browser.new_browser_cdp_session()
    events: list[Event] = []
    end_events: list[Event] = []
    session.on("Tracing.dataCollected", lambda part: events.extend(part["value"]))
    session.on("Tracing.tracingComplete", lambda end: end_events.append(end))
    config = {"includedCategories": _CATEGORIES}
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
    page.goto(file.as_uri())
    page.wait_for_selector("body:not([aria-busy])", state="attached")
    page.wait_for_function("performance.getEntriesByType('paint').length == 2")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
    session.send("Tracing.end")
    while not end_events:
        page.wait_for_timeout(50)
    page.close()
    return events


def times_of(events: Sequence[Event]) -> list[float]:
    """Return the times of _COLUMNS from the events of one page."""
    first = next(event for event in events if event["name"] == "firstContentfulPaint")
    thread = first["pid"], first["tid"]
    thread_events = [event for event in events if (event["pid"], event["tid"]) == thread]
    begin = max(event["ts"] for event in thread_events if event["name"] == "navigationStart")
    marks = {event["name"]: event["ts"] for event in thread_events if event["ts"] >= begin}
    load_end = marks["domContentLoadedEventEnd"]
    paints = [event["ts"] + event["dur"] for event in thread_events if event["name"] == "Paint"]
    ends = [max(paint for paint in paints if paint <= first["ts"])]  # the paint that shows it
    for name in ("first pair", "complete"):
        mark = marks.get(name, load_end)
        ends.append(min((paint for paint in paints if paint > mark), default=max(paints)))
    cpu = [1e-3 * cpu_time(thread_events, begin, end) for end in ends]
    return [*cpu, 1e-3 * (first["ts"] - begin)]


def cpu_time(events: Sequence[Event], begin: float, end: float) -> float:
    """Return the CPU time, in microseconds, of the tasks that begin between two times."""
    return sum(
        event.get("tdur", 0)
        for event in events
        if event["name"].endswith("RunTask") and begin <= event["ts"] < end
    )


if __name__ == "__main__":
    try:
        main()
    except Skipped as reason:
        say(f"skipped: {reason}")
