"""How wide an image is for a network that keeps proportions."""

NARROWEST = 32
"""Columns; a narrower image is stretched."""
MULTIPLE = 8
"""Of columns: few widths make large batches, and a width moves by 4 columns at most."""


def proportional_width(width: int, height: int, *, input_height: int, widest: int) -> int:
    """Return the columns of an image that is scaled to a network's height; a wider one than the widest is squeezed."""
    columns = round(width * input_height / height / MULTIPLE) * MULTIPLE
    return min(max(columns, NARROWEST), widest)
