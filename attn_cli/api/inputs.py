"""Convert strings to the lines that models read."""


def one_line(text: str) -> str:
    """Return `text` without its line end, with a space for each line end within."""
    return text.rstrip("\r\n").replace("\r\n", " ").replace("\n", " ")
