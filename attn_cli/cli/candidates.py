"""What a shell offers at Tab for a model, a recipe, a language or a recipe key.

The shell's script (attn completion) runs attn at each Tab, so nothing heavy is imported, and a file
that cannot be read offers nothing rather than an error. Typer offers the options and their choices.
"""

from collections.abc import Callable, Iterator

#: Set by the shell's script; its value says how the answer is written.
VARIABLE = "_ATTN_COMPLETE"


def _starting(incomplete: str, names: Callable[[], Iterator[str]]) -> list[str]:
    """Return the names that begin with what is typed; none where they cannot be read."""
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except Exception:
        return []


def complete_model(incomplete: str) -> list[str]:
    """Return the registered models."""
    from attn_cli.bundles import registry

    return _starting(incomplete, lambda: (name for name, _ in registry.names()))


def complete_recipe_name(incomplete: str) -> list[str]:
    """Return the recipes included in attn."""
    from attn_cli.bundles import registry

    return _starting(incomplete, lambda: iter(registry.recipe_names()))


def complete_language(incomplete: str) -> list[str]:
    """Return the languages that a registered model translates into."""

    def targets() -> Iterator[str]:
        from attn_cli.cli.choosing import translating_models

        yield from sorted({target for _, (_, target) in translating_models() if target})

    return _starting(incomplete, targets)


def complete_setting(incomplete: str) -> list[str]:
    """Return the keys of a recipe as `KEY=`; after `KEY=`, with its choices."""

    def settings() -> Iterator[str]:
        from attn_cli import config

        key, equals, _ = incomplete.partition("=")
        if not equals:
            yield from map("{}=".format, config.keys())
            return
        for value in config.choices(key):
            yield f"{key}={value}"

    return _starting(incomplete, settings)
