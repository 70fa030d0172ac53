"""Versions of the packages that models are made with."""

from importlib.metadata import packages_distributions, version

MODULES = ("keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime")


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages by module; TensorFlow, for example, has several packages."""
    packages = packages_distributions()
    return {module: version(packages[module][0]) for module in MODULES}
