"""The table of docs/reliability.md has the current results of the attacks."""

from reliability import DOCUMENT, with_current_table


def test_the_table_of_attacks_is_current():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert with_current_table(document) == document
