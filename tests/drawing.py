"""A renderable as a terminal prints it. Shared by tests of what Rich draws."""

import io

from rich.console import Console, RenderableType


def draw(
    renderable: RenderableType,
    *,
    width: int = 80,
    colors: str | None = None,
    encoding: str = "utf-8",
) -> str:
    """The text that a terminal of that width, color system and encoding gets; plain without one."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(
        file=file,
        width=width,
        force_terminal=colors is not None,
        color_system=colors,
        legacy_windows=False,
        _environ={},
    )
    console.print(renderable)
    file.seek(0)
    return file.read()
