"""Resolve --model and --to to the name of a model, without loading an engine."""

from collections.abc import Iterator
from pathlib import Path

from attn_cli.bundles import registry
from attn_cli.bundles.manifest import STEP, WEIGHTS, read_manifest
from attn_cli.data.languages import primary_language
from attn_cli.errors import ModelError, UsageError


def choose_model(model: str | None, to: str | None) -> str | None:
    """The name of the model that --model, --to and $ATTN_MODEL mean; None for the default.

    With `to` alone, the one model that translates into that language: $ATTN_MODEL if it does, else
    a registered one; of several, the one with the name of its direction, such as en-fr. Raises
    UsageError where the model named translates into another language, or where several fit;
    ModelError where none does.
    """
    if to is None:
        return model
    if model is not None:
        target = _target_of(registry.find(model))
        if not _is_language(target, to):
            raise UsageError(
                f"--to {to} contradicts --model {model}, which translates into "
                f"{target or 'an unnamed language'}",
                "Leave one of them out.",
            )
        return model
    named = registry.default_name()
    if named and _is_language(_target_of(registry.find(named)), to):
        return named
    targets = dict(translating_models())
    fitting = [name for name, (_, target) in targets.items() if _is_language(target, to)]
    candidates = [name for name in fitting if name == "-".join(targets[name])] or fitting
    if len(candidates) == 1:
        return candidates[0]
    if fitting:
        raise UsageError(
            f"{len(fitting)} models translate into {to}: {', '.join(fitting)}",
            "Name one of them with --model.",
        )
    known = ", ".join(f"{name} (into {target})" for name, (_, target) in targets.items() if target)
    raise ModelError(
        f"no registered model translates into {to}", f"Registered: {known or 'none yet'}."
    )


def translating_models() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the registered models that can translate: name, source and target language."""
    for name, path in registry.names():
        try:
            facts = read_manifest(path)
        except ModelError:
            continue
        if facts["files"].keys() & {WEIGHTS, STEP}:
            yield name, (facts["source"], facts["target"])


def _target_of(path: Path) -> str:
    target: str = read_manifest(path)["target"]
    return target


def _is_language(language: str, other: str) -> bool:
    """Whether a language is, or is a variety of, another: fr-CA is fr, but fr is not fr-CA."""
    language, other = (each.lower().replace("_", "-") for each in (language, other))
    return other in (language, primary_language(language))
