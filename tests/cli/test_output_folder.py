"""Which folders a new model may be written to."""

import pytest

from attn_cli.cli.output_folder import refuse_to_replace
from attn_cli.errors import UsageError


@pytest.mark.parametrize("names", [[], ["plan.next.json.part"], ["start-1/model.safetensors"]])
def test_a_folder_of_a_training_that_ended_before_it_wrote_a_plan_may_be_used(names, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for name in names:
        path = tmp_path / "checkpoints" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    refuse_to_replace(tmp_path, force=False, resumable=True)


@pytest.mark.parametrize("name", ["bundle.json", "checkpoints/plan.json"])
def test_a_folder_with_a_model_or_a_training_is_refused_without_force(name, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="already holds a model or a training"):
        refuse_to_replace(tmp_path, force=False, resumable=True)
    refuse_to_replace(tmp_path, force=True, resumable=True)
