"""The animated picture of a training is drawn from its recording, and is safe to embed."""

import importlib.util
import xml.etree.ElementTree as ElementTree

import document_blocks
import pytest

FOLDER = document_blocks.ROOT / "docs" / "training"
RECORDING, PICTURE = FOLDER / "demo.jsonl", FOLDER / "demo.svg"
MAX_BYTES = 300_000
ALLOWED_TAGS = {"svg", "title", "style", "rect", "g", "text", "tspan"}


@pytest.fixture(scope="module")
def panel():
    specification = importlib.util.spec_from_file_location("panel", FOLDER / "panel.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frames(panel):
    return panel.frames_of(RECORDING)


def text_of(frame):
    return "\n".join("".join(span.text for span in row) for row in frame)


def test_the_picture_is_drawn_from_the_recording(panel, frames):
    picture = panel.to_svg(frames)
    command = f"python docs/training/panel.py draw {RECORDING} {PICTURE}"
    assert picture == PICTURE.read_text(encoding="utf-8"), f"draw it again: {command}"


def test_the_frames_go_from_the_text_to_a_finished_table(frames):
    assert "text 1/4" in text_of(frames[0])
    last = text_of(frames[-1])
    assert "finished: maximum updates" in last
    assert "I love you → Je t' aime" in last


def test_the_picture_is_small_and_holds_no_script():
    data = PICTURE.read_bytes()
    assert len(data) <= MAX_BYTES
    for each in ElementTree.fromstring(data).iter():
        assert each.tag.rpartition("}")[2] in ALLOWED_TAGS
        for name, value in each.attrib.items():
            assert not name.startswith("on")
            assert "url(" not in value
    assert b"url(" not in data
    assert b"@import" not in data


def test_a_row_is_visible_exactly_in_its_frames(panel):
    frame_percent = 100 * panel.SECONDS_PER_FRAME / 10
    keyframes = panel._keyframes(((0, 1), (2, 3)), 4, 10.0)
    assert keyframes == (
        "0%{visibility:visible}"
        f"{frame_percent:.2f}%{{visibility:hidden}}"
        f"{2 * frame_percent:.2f}%{{visibility:visible}}"
        f"{3 * frame_percent:.2f}%{{visibility:hidden}}"
        "100%{visibility:hidden}"
    )
