"""A name that no registry has is an error, not a silent default."""

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from attn_cli import config
from attn_cli.alignment.extraction import extract
from attn_cli.alignment.symmetrization import symmetrize
from attn_cli.bundles.bundle import open_bundle
from attn_cli.choices import OutputFormat
from attn_cli.cli import output
from attn_cli.cli.output import Writer
from attn_cli.config.network import Scorer
from attn_cli.errors import UsageError
from attn_cli.inference.engines.registry import EngineOptions, engine_of
from attn_cli.inference.explanation import SCORER_FORMULAS
from attn_cli.nn.builder import SCORERS, build_model
from attn_cli.types import InputLine, SoftAlignment, Translation, WordAlignment

BUNDLE = Path(__file__).parent / "fixtures" / "bundle_v1"
LINKS = WordAlignment(frozenset({(0, 0)}), 1, 1)


def replace_unchecked(settings, **values):
    """Return settings with other values, also those that their schema would refuse."""
    copy = dataclasses.replace(settings)
    for name, value in values.items():
        object.__setattr__(copy, name, value)
    return copy


def test_an_unknown_extraction_is_an_error() -> None:
    weights = np.ones((1, 1), np.float32)
    table = SoftAlignment(("a",), ("x",), weights, np.zeros(1, np.float32))
    with pytest.raises(UsageError, match="'best' is not an extraction") as error:
        extract(table, "best")
    assert error.value.hint == "Choose one of threshold, argmax, mutual, itermax."


def test_an_unknown_symmetrization_is_an_error() -> None:
    with pytest.raises(UsageError, match="'grow' is not a symmetrization"):
        symmetrize(LINKS, LINKS, "grow")


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(UsageError, match="'xml' is not a format"):
        Writer("xml").record(InputLine(1, "a"), Translation(1, "a", "x"), LINKS)


def test_every_format_is_a_table_a_picture_a_page_or_a_record() -> None:
    assert {*output._RECORDS, "table", "html", "svg", "png", "pdf"} == set(get_args(OutputFormat))


def test_every_scorer_of_a_recipe_is_built_and_explained() -> None:
    assert set(get_args(Scorer)) == SCORERS.keys() == SCORER_FORMULAS.keys()


def test_an_unknown_engine_is_an_error() -> None:
    with pytest.raises(UsageError, match="'tpu' is not an engine"):
        engine_of(open_bundle(BUNDLE), "translator", EngineOptions("tpu"))


@pytest.mark.parametrize(("key", "part"), [("kind", "scorer"), ("normalizer", "normalizer")])
def test_an_unknown_scorer_or_normalizer_is_an_error(key: str, part: str) -> None:
    model = config.Recipe().model
    model = replace_unchecked(
        model, attention=replace_unchecked(model.attention, **{key: "cosine"})
    )
    with pytest.raises(UsageError, match=f"'cosine' is not a {part}"):
        build_model(model, source_vocab_size=8, target_vocab_size=8)
