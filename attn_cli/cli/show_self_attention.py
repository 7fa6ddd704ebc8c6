"""--show encoder|decoder of translate and align: the self-attention of a model as square tables."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from attn_cli.bundles import registry
from attn_cli.bundles.bundle import Bundle, load_stable
from attn_cli.cli.input import warning_callback
from attn_cli.cli.model_options import ModelOptions
from attn_cli.cli.output import Writer
from attn_cli.console import Console
from attn_cli.data.casing import CaseRules
from attn_cli.inference.engines.registry import open_torch_decoder
from attn_cli.inference.from_bundle import pair_aligner_of, require_decoder
from attn_cli.inference.head_request import HeadRequest
from attn_cli.inference.linkers import AlignerProtocol, DirectionalLinker, RenormalizingAligner
from attn_cli.inference.other_tables import PAIRS_WITH_HEADS
from attn_cli.inference.pair_options import PairOptions
from attn_cli.inference.self_attention import KINDS, SelfAttentionAligner, Side
from attn_cli.types import InputLine, LineResult

Translate = Callable[[Sequence[InputLine]], list[LineResult]]


def self_attention_linker(
    console: Console,
    options: ModelOptions,
    side: Side,
    writer: Writer,
    pairs: PairOptions,
    *,
    heads: HeadRequest | None = None,
    as_translated: bool = False,
) -> tuple[DirectionalLinker, Writer]:
    """Return what gives each pair its square table, and the writer of the tables.

    A page has the tables of all heads, too, of its first pairs. If `as_translated`, pairs are read
    in the case in which the model would translate them.
    """
    path = registry.find(options.model)
    has_heads, is_page = heads is not None and heads.each, writer.format == "html"

    def load(bundle: Bundle) -> tuple[DirectionalLinker, Writer]:
        require_decoder(bundle)
        bundle = bundle.with_target_token(options.target_token)
        console.verbose_info(f"model {bundle.name} from {path}; translator: PyTorch")
        decoder = open_torch_decoder(bundle, options.engine_options)
        aligner = pair_aligner_of(
            bundle,
            replace(
                pairs,
                case_rules=CaseRules.of(bundle.recipe.decode)
                if as_translated
                else pairs.case_rules,
                on_problem=warning_callback(console),
            ),
            decoder=decoder,
        )
        tables: AlignerProtocol = SelfAttentionAligner(
            aligner,
            decoder,
            side,
            layer=heads.layer if heads else None,
            head=heads.head if heads else 0,
            each_head=has_heads or is_page,
            pairs_with_heads=PAIRS_WITH_HEADS if is_page and not has_heads else None,
        )
        if options.unaligned_mass == "renormalize":
            tables = RenormalizingAligner(tables)
        named = writer.for_model(bundle, by_head=False)
        if is_page:
            recipe = bundle.recipe
            language = recipe.source if side == "encoder" else recipe.target
            named = named.with_page(KINDS[side], languages=(language, language))
        return DirectionalLinker(tables, named.links), named

    return load_stable(path, load)


def show_translations(translate: Translate, linker: DirectionalLinker) -> Translate:
    """Return a function that translates lines, and has the square tables of the pairs."""

    def show(lines: Sequence[InputLine]) -> list[LineResult]:
        pairs = [replace(line, target=each.text) for line, each, _ in translate(lines)]
        return [(line, *linked) for line, linked in zip(lines, linker.link(pairs), strict=True)]

    return show
