"""A recipe: the complete definition of a model, as frozen dataclasses read from TOML.

Each key is a dataclass field: its annotation is the type, a `Literal` lists the choices, and its
metadata holds help and bounds. An unknown key, a wrong type or a value out of bounds raises
`UsageError` naming the key and the closest known one. Imports only the standard library and
`errors`.
"""

from attn_cli.config.defaults import FORMER_KEYS as FORMER_KEYS
from attn_cli.config.defaults import LEGACY_DEFAULTS as LEGACY_DEFAULTS
from attn_cli.config.defaults import finetuning_defaults as finetuning_defaults
from attn_cli.config.model import ModelConfig as ModelConfig
from attn_cli.config.network import TRANSFORMER as TRANSFORMER
from attn_cli.config.network import AttentionConfig as AttentionConfig
from attn_cli.config.network import Cell as Cell
from attn_cli.config.network import DecoderConfig as DecoderConfig
from attn_cli.config.network import DropoutConfig as DropoutConfig
from attn_cli.config.network import EncoderConfig as EncoderConfig
from attn_cli.config.network import Family as Family
from attn_cli.config.network import Scorer as Scorer
from attn_cli.config.network import WordAlignerConfig as WordAlignerConfig
from attn_cli.config.parsing import choices as choices
from attn_cli.config.parsing import file_of_links as file_of_links
from attn_cli.config.parsing import from_dict as from_dict
from attn_cli.config.parsing import keys as keys
from attn_cli.config.parsing import merge_toml as merge_toml
from attn_cli.config.parsing import to_dict as to_dict
from attn_cli.config.parsing import with_files as with_files
from attn_cli.config.parsing import with_settings as with_settings
from attn_cli.config.paths import rebase_paths as rebase_paths
from attn_cli.config.schema import DATA_FILES as DATA_FILES
from attn_cli.config.schema import AugmentationConfig as AugmentationConfig
from attn_cli.config.schema import DataConfig as DataConfig
from attn_cli.config.schema import DecodeConfig as DecodeConfig
from attn_cli.config.schema import Recipe as Recipe
from attn_cli.config.schema import TokenizerConfig as TokenizerConfig
from attn_cli.config.toml import load as load
from attn_cli.config.toml import parse as parse
from attn_cli.config.toml import to_toml as to_toml
from attn_cli.config.train import STATISTICAL as STATISTICAL
from attn_cli.config.train import UNGUIDED as UNGUIDED
from attn_cli.config.train import TrainConfig as TrainConfig
