"""Untrained networks for measurements: random weights take the same time.

    python -m benchmarks.networks FOLDER

Creates the tutorial's network, in a separate process because TensorFlow is large.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from app.inference.models.configs import ModelConfigs, read_configs, write_configs
from app.inference.models.model import MODEL_FILE
from training.drawing.draw import CAPTCHA_ALPHABET
from training.fitting.backend import load_tensorflow

WIDTH, HEIGHT = 200, 50
CJK_IDEOGRAPHS = 0x4E00
BLANK_BIAS = 5.0  # so that random weights read hardly any characters


def make_tutorial(folder: Path) -> None:
    """Create the tutorial's network as exported there: float32 pixels of three channels in, probabilities out."""
    import keras

    from training.networks import LOGITS
    from training.networks.resnet_blstm import build

    keras.utils.set_random_seed(0)
    inputs = keras.Input((HEIGHT, WIDTH, 3), dtype="float32", name="input")
    network = keras.models.clone_model(build((HEIGHT, WIDTH, 3), len(CAPTCHA_ALPHABET) + 1), input_tensors=inputs)
    kernel, bias = network.get_layer(LOGITS).get_weights()
    bias[-1] = BLANK_BIAS
    network.get_layer(LOGITS).set_weights([kernel, bias])
    folder.mkdir(parents=True)
    keras.Model(inputs, keras.layers.Softmax()(network.output)).export(
        folder / MODEL_FILE,
        format="onnx",
        verbose=False,
        input_signature=[keras.InputSpec(shape=(None, HEIGHT, WIDTH, 3), dtype="float32", name="input")],
    )
    write_configs(ModelConfigs(vocab=CAPTCHA_ALPHABET, height=HEIGHT, width=WIDTH), folder)


def widen_vocabulary(model: Path, size: int, folder: Path) -> None:
    """Copy a model folder, extending the vocabulary to `size` characters with random weights.

    The last convolution must put out the logits.
    """
    configs = read_configs(model)
    old, new = len(configs.vocab) + 1, size + 1
    network = onnx.load(model / MODEL_FILE)
    graph = network.graph
    logits = [node for node in graph.node if node.op_type == "Conv"][-1].input[1:]
    rng = np.random.default_rng(0)
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if constant.name in logits:
            widened = rng.normal(size=(new, *values.shape[1:])).astype(values.dtype)
        elif values.size == 1 and values.item() == old:  # in the shape of the logits
            widened = np.full_like(values, new)
        else:
            continue
        constant.CopyFrom(numpy_helper.from_array(widened, constant.name))
    graph.output[0].type.tensor_type.shape.dim[2].dim_value = new
    del graph.value_info[:]
    folder.mkdir(parents=True)
    onnx.save(network, folder / MODEL_FILE)
    vocab = "".join(chr(CJK_IDEOGRAPHS + index) for index in range(size))
    write_configs(configs.model_copy(update={"vocab": vocab, "blank_index": size}), folder)


if __name__ == "__main__":
    load_tensorflow()
    make_tutorial(Path(sys.argv[1]))
