"""The options of an aligner of pairs: how it reads their lines, and what its tables are of."""

from dataclasses import dataclass

from attn_cli.choices import Level
from attn_cli.data.casing import ORIGINAL_CASE, CaseRules
from attn_cli.inference.line_batches import OnProblem


@dataclass(frozen=True)
class PairOptions:
    """The options of a `PairAligner`.

    With `tokenized`, words are what spaces and TABs separate, and nothing is split further. `level`
    is that of the rows and columns of tables. Sources are read in the case of `case_rules`, as a
    `Translator` with these reads them, and so is the target of a source in capitals; words remain
    as they are. `on_problem(line, problem)` is called for each line that is not read
    to its end.
    """

    tokenized: bool = False
    level: Level = "word"
    case_rules: CaseRules = ORIGINAL_CASE
    on_problem: OnProblem | None = None
