"""The table of docs/reliability.md has the current results of the attacks."""

from reliability import DOCUMENT, renewed


def test_the_table_of_attacks_is_that_of_today():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert renewed(document) == document
