"""Layouts of labelled images: recognised, or given with `--labels-from`."""

from training.data.layouts.read import Dataset, read_dataset, read_samples
from training.data.layouts.table import LAYOUTS, LayoutName

__all__ = ["LAYOUTS", "Dataset", "LayoutName", "read_dataset", "read_samples"]
