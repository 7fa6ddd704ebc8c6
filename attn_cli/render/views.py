"""Select a view of a table of weights in the terminal: with numbers, compact, or as links."""

from typing import TYPE_CHECKING

from attn_cli.choices import View
from attn_cli.render.compact import CompactTable
from attn_cli.render.link_list import LinkList
from attn_cli.render.table import AlignmentTable

if TYPE_CHECKING:
    from rich.console import RenderableType


def view_of(table: AlignmentTable, view: View, *, width: int) -> "RenderableType":
    """Return a renderable of the alignment of `table` in this view.

    `auto` is the first that fits `width` cells without folding: the table with numbers, the compact
    table; else the links.
    """
    if view == "table" or (view == "auto" and table.fits(width)):
        return table
    compact = CompactTable(table.alignment, table.source, table.target, table.unsure)
    if view == "compact" or (view == "auto" and compact.fits(width)):
        return compact
    return LinkList(table.alignment, table.source, table.target, table.unsure)
