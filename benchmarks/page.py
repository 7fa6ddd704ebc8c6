"""The page of --format html: its size, and the time until a browser has painted it.

    python benchmarks/page.py
    python benchmarks/page.py --pairs 10000 --words 30

The pairs are made up: sentences of --words words, each with the attention of a decoder and the
probabilities of a word aligner, drawn from a sparse Dirichlet distribution. Chromium opens the page
--repeat times from a file, each time in a new window. First paint is what the browser's own
Performance API says; processor time is that of the page's thread until everything is drawn.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from measuring import Skipped, conditions, say, table

from attn_cli.render.html.page import Page, pair
from attn_cli.types import SoftAlignment, Translation, WordAlignment

_MEASURE = """() => {
  const paints = performance.getEntriesByType("paint");
  return paints.find((each) => each.name === "first-contentful-paint").startTime;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--words", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.pairs:
            file = Path(folder) / f"{count}.html"
            file.write_text(page_of(count, options.words), encoding="utf-8")
            paints, seconds = open_in_browser(file, options.repeat)
            rows.append(
                [
                    f"{count:,}",
                    f"{file.stat().st_size / 1e6:.2f}",
                    f"{statistics.median(paints):.0f}",
                    f"{1000 * statistics.median(seconds):.0f}",
                ]
            )
            say(f"{count:,} pairs: done")
    heads = ["pairs", "MB", "first paint, ms", "processor, ms"]
    print(table(heads, rows) + conditions())


def page_of(count: int, words: int) -> str:
    """A page of `count` pairs."""
    generator = np.random.default_rng(0)
    names = [f"word{n}" for n in range(500)]
    page = Page("benchmark", minimum={"attention": 0.3, "alignment": 0.5})
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
        parts.append(pair(translation, links, is_first=line == 1))
    return "".join([*parts, page.end()])


def open_in_browser(file: Path, repeat: int) -> tuple[list[float], list[float]]:
    """First paints in ms, and processor seconds of the page's thread."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise Skipped("there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    paints, seconds = [], []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(repeat):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(file.as_uri())
            page.wait_for_selector("#table td")
            paints.append(page.evaluate(_MEASURE))
            metrics = session.send("Performance.getMetrics")["metrics"]
            seconds.append(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))
            page.close()
        browser.close()
    return paints, seconds


if __name__ == "__main__":
    try:
        main()
    except Skipped as reason:
        say(f"skipped: {reason}")
