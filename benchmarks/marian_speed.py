"""Measure the speed of an imported Marian model in attn, Transformers and CTranslate2.

    python benchmarks/marian_speed.py                  # 6+6 layers of 512, 58,000 pieces
    python benchmarks/marian_speed.py --width 64 --pieces 2000 --lines 8     # a quick try
    python benchmarks/marian_speed.py --systems int8,ct2-int8 --beam 4

The model has random parameters and the size of OPUS-MT's. Every system writes --length pieces for
each line, so that all do the same work. Each translates the same lines in a process of its own on
one core. The table has the CPU time of a line, without the start-up, which is measured with one
line, and the peak of memory. Systems take turns; values are medians over --rounds.

Needs transformers and ctranslate2, which are in constraints.txt.
"""

import argparse
import io
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import (
    ATTN,
    ONE_THREAD,
    ROOT,
    Cost,
    cost_of,
    describe_conditions,
    format_notes,
    output_of,
    report,
    report_skips,
    say,
    table,
    use_one_core,
)

SYSTEMS = ("int8", "fp32", "transformers", "ct2-int8", "ct2-fp32")
_NEVER = -100.0  # the logit of the end of a sentence


def main() -> int:
    options = _options()
    if options.run:
        system, folder, file = options.run
        _translate(system, Path(folder), Path(file), options)
        return 0
    use_one_core()
    systems = options.systems.split(",")
    skipped: list[str] = []
    costs: dict[str, list[tuple[Cost, Cost]]] = {system: [] for system in systems}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        say("making the model")
        output_of(
            sys.executable, __file__, "--make", work, *_sizes(options), environment=ONE_THREAD
        )
        for system in systems:
            with report_skips(system, skipped):
                _prepare(system, work, options)
                for _ in range(options.rounds):
                    pair = [_cost(system, work, lines, options) for lines in ("one", "many")]
                    costs[system].append((pair[0], pair[1]))
                say(f"{system}: done")
    rows, records = [], {}
    for system in systems:
        if costs[system]:
            record = _record(costs[system], options.lines)
            records[system] = record
            rows.append(
                (system, *(f"{record[key]:.{digits}f}" for key, digits in _COLUMNS.items()))
            )
    markdown = table(("system", "ms a line", "start-up, s", "memory, MiB"), rows)
    size = (
        f"{options.layers}+{options.layers} layers of {options.width}, {options.pieces:,} pieces, "
        f"{options.lines} lines of {options.words} words, {options.length} pieces each, "
        f"beam {options.beam}, one core, CPU time, {options.rounds} rounds"
    )
    report(
        markdown + format_notes(describe_conditions(size), skipped),
        {"results": records},
        options.output,
    )
    return 0


_COLUMNS = {"line_ms": 1, "start_seconds": 2, "mebibytes": 0}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, number in _DEFAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--output", type=Path, help="write OUTPUT.md and OUTPUT.json too")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        _make(options.make, options)
        sys.exit()
    return options


_DEFAULTS = {
    "layers": 6,
    "width": 512,
    "heads": 8,
    "pieces": 58_000,
    "lines": 64,
    "words": 20,
    "length": 24,
    "beam": 1,
}


def _sizes(options: argparse.Namespace) -> list[str]:
    return [part for name in _DEFAULTS for part in (f"--{name}", str(getattr(options, name)))]


def _record(costs: list[tuple[Cost, Cost]], lines: int) -> dict[str, float]:
    each = [(many.cpu_seconds - one.cpu_seconds) / (lines - 1) for one, many in costs]
    return {
        "line_ms": 1000 * statistics.median(each),
        "start_seconds": statistics.median(one.cpu_seconds for one, _ in costs),
        "mebibytes": statistics.median(many.mebibytes for _, many in costs),
    }


def _cost(system: str, work: Path, lines: str, options: argparse.Namespace) -> Cost:
    """Translate the file LINES.txt. Raises Skipped."""
    environment = ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    file = work / f"{lines}.txt"
    if system in ("int8", "fp32"):
        search_options = ("--beam", options.beam, "--threads", "1", "--engine", "onnx")
        command = [*ATTN, "translate", "-m", work / system, "-i", file, *search_options]
    else:
        run = ("--run", system, work, file)
        command = [sys.executable, __file__, *run, *_sizes(options)]
    return cost_of(command, environment=environment)


def _prepare(system: str, work: Path, options: argparse.Namespace) -> None:
    """Make what a system runs of the folder work/marian. Raises Skipped."""
    environment = ONE_THREAD | {"ATTN_HOME": str(work / "home"), "PYTHONPATH": str(ROOT)}
    if system in ("int8", "fp32"):
        import_options = ("--name", system, "--precision", system)
        output_of(
            *ATTN, "models", "import", work / "marian", *import_options, environment=environment
        )
        folder = work / "home" / "models" / system
        folder.rename(work / system)
        code = (
            "import sys; from dataclasses import replace; from pathlib import Path\n"
            "from attn_cli.bundles.bundle import open_bundle\n"
            "from attn_cli.bundles.storage import write_recipe\n"
            "path = Path(sys.argv[1]); recipe = open_bundle(path).recipe\n"
            "limits = {'max_length_ratio': 0.0, 'max_length_extra': int(sys.argv[2])}\n"
            "decode = replace(recipe.decode, **limits)\n"
            "write_recipe(path, replace(recipe, decode=decode))\n"
        )
        output_of(
            sys.executable, "-c", code, work / system, options.length, environment=environment
        )
    elif system.startswith("ct2-"):
        precision = {"int8": "int8", "fp32": "float32"}[system[4:]]
        code = (
            "import sys, ctranslate2\n"
            "converter = ctranslate2.converters.TransformersConverter(sys.argv[1])\n"
            "converter.convert(sys.argv[2], quantization=sys.argv[3])\n"
        )
        output_of(sys.executable, "-c", code, work / "marian", work / system, precision)


def _translate(system: str, work: Path, file: Path, options: argparse.Namespace) -> None:
    """Translate a file with one of the other systems, in this process."""
    lines = file.read_text(encoding="utf-8").splitlines()
    if system == "transformers":
        import warnings

        warnings.simplefilter("ignore")
        import torch
        from transformers import MarianMTModel, MarianTokenizer

        torch.set_num_threads(1)
        tokenizer: Any = MarianTokenizer.from_pretrained(work / "marian")
        model: Any = MarianMTModel.from_pretrained(work / "marian").eval()
        for start in range(0, len(lines), 32):
            batch = tokenizer(lines[start : start + 32], return_tensors="pt", padding=True)
            with torch.inference_mode():
                ids = model.generate(
                    **batch,
                    num_beams=options.beam,
                    min_new_tokens=options.length,
                    max_new_tokens=options.length,
                    do_sample=False,
                )
            print(*tokenizer.batch_decode(ids, skip_special_tokens=True), sep="\n")
        return
    import ctranslate2
    import sentencepiece  # without transformers, which would add to the memory

    spm: Any = sentencepiece.SentencePieceProcessor(model_file=str(work / "marian" / "source.spm"))
    translator = ctranslate2.Translator(str(work / system), inter_threads=1, intra_threads=1)
    sources = [[*spm.encode(line, out_type=str), "</s>"] for line in lines]
    results = translator.translate_batch(
        sources,
        beam_size=options.beam,
        min_decoding_length=options.length,
        max_decoding_length=options.length,
        max_batch_size=32,
    )
    for result in results:
        print(spm.decode(result.hypotheses[0]))


def _make(work: Path, options: argparse.Namespace) -> None:
    """Write a model of random parameters, as Transformers does, and lines to translate."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    folder = work / "marian"
    folder.mkdir()
    model = _sentencepiece_model(options.pieces)
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(model)
    words = [f"\u2581w{number}" for number in range(options.pieces - 3)]
    pieces = ["</s>", "<unk>", *words, "<pad>"]
    ids = {piece: id for id, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    pad = len(pieces) - 1
    torch.manual_seed(1)
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (
            ("layers", options.layers),
            ("attention_heads", options.heads),
            ("ffn_dim", 4 * options.width),
        )
    }
    network = MarianMTModel(
        MarianConfig(
            **sides,
            vocab_size=len(pieces),
            d_model=options.width,
            activation_function="swish",
            scale_embedding=True,
            pad_token_id=pad,
            decoder_start_token_id=pad,
            max_position_embeddings=512,
            normalize_before=False,
            normalize_embedding=False,
        )
    )
    network.final_logits_bias[0, 0] = _NEVER  # a sentence ends only at its length
    network.save_pretrained(folder)
    draw = random.Random(1)
    for name, count in (("one", 1), ("many", options.lines)):
        lines = (
            " ".join(draw.choice(words)[1:] for _ in range(options.words)) for _ in range(count)
        )
        (work / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sentencepiece_model(size: int) -> bytes:
    """Return a unigram model of the pieces ▁w0, ▁w1, … and of single characters."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["w0 w1 w2 w3 w4", "w5 w6 w7 w8 w9"]),
        model_writer=stream,
        vocab_size=20,
        hard_vocab_limit=False,
        minloglevel=3,
    )
    proto: Any = sentencepiece_model_pb2.ModelProto.FromString(stream.getvalue())
    pieces = {piece.piece for piece in proto.pieces}
    for number in range(size):
        if (piece := f"\u2581w{number}") not in pieces:
            proto.pieces.add(piece=piece, score=-1.0)
    data: bytes = proto.SerializeToString()
    return data


if __name__ == "__main__":
    sys.exit(main())
