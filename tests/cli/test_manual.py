"""Manual pages: one a command, in the words of --help, and without a mistake in their roff."""

import shutil
import subprocess

import pytest

from attn_cli.cli.manual import pages, write_pages

PAGES = pages()


def test_each_command_has_a_page():
    assert {"attn.1", "attn-translate.1", "attn-models.1", "attn-models-add.1"} <= set(PAGES)


def test_a_page_has_every_option_and_the_examples_of_its_help():
    page = PAGES["attn-translate.1"].replace("\\-", "-")
    for option in ("-m, --model", "--coverage-penalty", "--color", "-h, --help"):
        assert f".B {option}" in page
    assert 'attn translate "I love you" --align' in page
    assert "\n.B 143\n" in page


def test_what_roff_would_read_is_escaped():
    text = "".join(PAGES.values())
    assert text.isascii()
    assert not [line for line in text.splitlines() if line.startswith("'")]
    assert {line.split()[0] for line in text.splitlines() if line.startswith(".")} <= {
        ".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".nf", ".fi",
    }  # fmt: skip


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff")
def test_groff_reads_the_pages_without_a_warning(tmp_path):
    for page in write_pages(tmp_path):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, check=True
        )
        assert done.stderr == b""
        assert b"attn" in done.stdout
