"""Draw renderables as a terminal prints them. Shared by tests of Rich output."""

import io

from rich.console import Console, RenderableType


def draw(
    renderable: RenderableType,
    *,
    width: int = 80,
    colors: str | None = None,
    encoding: str = "utf-8",
) -> str:
    """Return the text on a terminal of that width, color system and encoding; plain without one."""
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
