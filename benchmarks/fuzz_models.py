"""Fuzzing of model loading: each damaged model folder must be loaded or refused quickly.

    python -m benchmarks.fuzz_models [--count N] [--seed N] [--first N]

Changes `model.onnx` or `configs.yaml` of a small network or of the shipped one: flips bits, overwrites, removes,
inserts and repeats bytes, and makes numbers very large. Seed and number determine the folder, so
`--first NUMBER --count 1` reproduces a finding.
"""

import argparse
import math
import multiprocessing
import random
import resource
import signal
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from app.inference.models.model import ImageToTextModel, ModelError
from app.inference.models.trial import CPU_SECONDS, MEMORY_BYTES
from benchmarks.common import ROOT

CONFIGS, NETWORK = "configs.yaml", "model.onnx"
SHIPPED_EVERY = 50
SECONDS = 120
"""Maximum time per folder, on a busy machine."""
ENDED = "ended their process"
Files = dict[str, bytes]


class Result(NamedTuple):
    """The result of a run.

    Attributes:
        outcomes: numbers of folders that were loaded, were refused, or ended their process.
        slowest: maximum processor time of a loaded or refused folder, in seconds.
        slowest_number: the number of that folder.
    """

    outcomes: Counter[str]
    slowest: float
    slowest_number: int


def main() -> None:
    """Try the requested number of folders; fail if one is neither loaded nor refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_models", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="number of folders")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes")
    parser.add_argument("--first", type=int, default=0, help="the number of the first folder")
    options = parser.parse_args()
    result = fuzz(options.count, options.seed, options.first)
    print(
        f"{options.count:,} folders: " + ", ".join(f"{count:,} {name}" for name, count in result.outcomes.most_common())
    )
    print(f"the slowest, number {result.slowest_number}, took {result.slowest:.1f} s")


def fuzz(count: int, seed: int, first: int = 0) -> Result:
    """Load damaged folders and read an image with those that load, in processes like the service's trial process.

    Raises:
        RuntimeError: a folder was neither loaded nor refused; the message has its number.
    """
    context = multiprocessing.get_context("fork")
    outcomes: Counter[str] = Counter()
    slowest, slowest_number = 0.0, first
    number = first
    while number < first + count:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, seed, number, first + count), daemon=True)
        process.start()
        theirs.close()
        outcome = ""
        while outcome != ENDED and number < first + count:
            outcome, seconds = _receive(ours)
            if outcome.startswith("fault"):
                raise RuntimeError(f"folder {number} of seed {seed} was neither loaded nor refused: {outcome}")
            outcomes[outcome] += 1
            if seconds > slowest:
                slowest, slowest_number = seconds, number
            number += 1
        process.kill()
        process.join()
    return Result(outcomes, slowest, slowest_number)


def _receive(connection: Connection) -> tuple[str, float]:
    if not connection.poll(SECONDS):
        return ENDED, 0.0
    try:
        outcome, seconds = connection.recv()
    except EOFError:
        return ENDED, 0.0
    return outcome, seconds


def _work(to: Connection, seed: int, first: int, end: int) -> None:
    """Try folders one after another; send the outcome and the seconds of each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES,) * 2)
    small, shipped = small_model(), shipped_model()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, end):
            begin = time.process_time()
            resource.setrlimit(resource.RLIMIT_CPU, (int(begin) + CPU_SECONDS + 1, resource.RLIM_INFINITY))
            for name, data in broken_files(shipped if number % SHIPPED_EVERY == 0 else small, seed, number).items():
                (Path(folder) / name).write_bytes(data)
            outcome = try_folder(Path(folder))
            to.send((outcome, time.process_time() - begin))


def try_folder(folder: Path) -> str:
    """Load a model and read an image; return the outcome."""
    try:
        model = ImageToTextModel(folder)
    except (ModelError, MemoryError):
        return "refused"
    except Exception as error:  # noqa: BLE001 - any exception is a finding
        return f"fault: {error!r}"
    (reading,) = model.predict([np.zeros((model.height, model.width, 3), np.uint8)])
    return "loaded" if math.isfinite(reading.confidence) else f"fault: confidence {reading.confidence}"


def broken_files(files: Files, seed: int, number: int) -> Files:
    """Return the files of a model, one of them changed in several places."""
    source = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
    name = source.choice([CONFIGS, NETWORK])
    data = bytearray(files[name])
    for _ in range(source.choice([1, 1, 2, 5, 20])):
        _change(data, source)
    return {**files, name: bytes(data)}


def _change(data: bytearray, source: random.Random) -> None:
    at = source.randrange(len(data) + 1)
    length = source.choice([1, 2, 8, 64, 1024])
    match source.randrange(7):
        case 0:
            data[at : at + 1] = bytes(byte ^ 1 << source.randrange(8) for byte in data[at : at + 1])
        case 1:
            data[at : at + length] = source.randbytes(len(data[at : at + length]))
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = source.randbytes(length)
        case 4:
            data[at:at] = data[at : at + length] * source.choice([1, 2, 100])
        case 5:  # varints of protocol buffers: 2⁶³ − 1, − 1, 2³¹
            data[at : at + 1] = source.choice([b"\xff" * 8 + b"\x7f", b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x08"])
        case _:  # YAML syntax
            data[at:at] = source.choice(
                [b"[", b"{", b"- ", b"? ", b"&a ", b"*a ", b"!!", b"9" * 400, b"1:1", b"\n", b": "]
            )


def small_model() -> Files:
    """Return the files of a network with a few layers."""
    random_numbers = np.random.default_rng(0)
    weights = {
        "kernel": random_numbers.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "dense": random_numbers.normal(size=(32, 4)).astype(np.float32),
        "steps": np.array([0, 20, 32]),
    }
    nodes = [
        helper.make_node("Transpose", ["image"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels_first", "kernel"], ["convolved"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["convolved"], ["positive"]),
        helper.make_node("Transpose", ["positive"], ["columns"], perm=[0, 3, 1, 2]),
        helper.make_node("Reshape", ["columns", "steps"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=2),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("n", 8, 20, 1))],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ("n", 20, 4))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    configs = b"vocab: abc\nheight: 8\nwidth: 20\nblank_index: 3\ntime_axis: width\ncalibration:\n  temperature: 1.5\n"
    return {CONFIGS: configs, NETWORK: model.SerializeToString()}


def shipped_model() -> Files:
    """Return the files of the shipped model, without its checksums, which would reveal every change."""
    folder = max((ROOT / "model_store" / "captcha").iterdir())
    return {name: (folder / name).read_bytes() for name in (CONFIGS, NETWORK)}


if __name__ == "__main__":
    main()
