"""Whether a folder may be taken for a new model."""

import pytest

from attn_cli.cli.output_folder import refuse_to_replace
from attn_cli.errors import UsageError


@pytest.mark.parametrize("names", [[], ["plan.next.json.part"], ["start-1/model.safetensors"]])
def test_a_training_that_ended_before_its_plan_was_written_does_not_hold_a_folder(names, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for name in names:
        path = tmp_path / "checkpoints" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    refuse_to_replace(tmp_path, force=False, resumable=True)


@pytest.mark.parametrize("name", ["bundle.json", "checkpoints/plan.json"])
def test_a_model_or_a_training_holds_its_folder(name, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="already holds a model or a training"):
        refuse_to_replace(tmp_path, force=False, resumable=True)
    refuse_to_replace(tmp_path, force=True, resumable=True)
