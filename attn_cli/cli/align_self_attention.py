"""attn align --show encoder|decoder: the self-attention of a model as square tables."""

from typing import cast

from attn_cli.bundles import registry
from attn_cli.bundles.bundle import Bundle, load_stable
from attn_cli.cli.align_options import AlignOptions
from attn_cli.cli.input import warning_callback
from attn_cli.cli.output import Writer
from attn_cli.console import Console
from attn_cli.inference.engines.registry import open_torch_decoder
from attn_cli.inference.from_bundle import pair_aligner_of, require_decoder
from attn_cli.inference.linkers import AlignerProtocol, DirectionalLinker, RenormalizingAligner
from attn_cli.inference.self_attention import SelfAttentionAligner, Side


def self_attention_linker(
    console: Console, options: AlignOptions, writer: Writer
) -> tuple[DirectionalLinker, Writer]:
    """Return what gives each pair its square table, and the writer of the tables."""
    path = registry.find(options.model)

    def load(bundle: Bundle) -> tuple[DirectionalLinker, Writer]:
        require_decoder(bundle)
        bundle = bundle.with_target_token(options.target_token)
        console.verbose_info(f"model {bundle.name} from {path}; translator: PyTorch")
        decoder = open_torch_decoder(bundle, device=options.device, threads=options.threads)
        pairs = pair_aligner_of(
            bundle,
            stepper=decoder,
            tokenized=options.tokenized,
            level=options.level,
            on_problem=warning_callback(console),
        )
        heads = options.heads
        aligner = SelfAttentionAligner(
            pairs,
            decoder,
            cast("Side", options.show),
            layer=heads.layer if heads else None,
            head=heads.head if heads else 0,
            each_head=bool(heads and heads.each),
        )
        named = writer.for_model(bundle, by_head=False)
        tables: AlignerProtocol = aligner
        if options.unaligned_mass == "renormalize":
            tables = RenormalizingAligner(aligner)
        return DirectionalLinker(tables, named.links), named

    return load_stable(path, load)
