"""The versions that a model's card names."""

import keras
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from training.exporting.versions import package_versions


def test_are_those_of_the_imported_modules_whatever_package_has_them() -> None:
    modules = (keras, tf, tf2onnx, onnx, onnxruntime)
    assert package_versions() == {module.__name__: module.__version__ for module in modules}
