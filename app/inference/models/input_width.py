"""How wide an image is for a network that keeps proportions."""

NARROWEST = 32
"""Columns; a narrower image is stretched."""
MULTIPLE = 8
"""Of columns: few widths make large batches, and a width moves by 4 columns at most."""


def proportional_width(width: int, height: int, *, input_height: int, widest: int) -> int:
    """Return the columns of an image that is scaled to a network's height.

    Args:
        width: of the image, in pixels.
        height: of the image, in pixels.
        input_height: the network's.
        widest: what the network is given at most; a wider image is squeezed.
    """
    columns = round(width * input_height / height / MULTIPLE) * MULTIPLE
    return min(max(columns, NARROWEST), widest)
