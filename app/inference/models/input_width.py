"""Input width of images for networks that keep proportions."""

NARROWEST = 32
"""Minimum columns; narrower images are stretched."""
MULTIPLE = 8
"""Widths are multiples of this: few different widths allow large batches, and rounding changes a width by at most 4."""


def proportional_width(width: int, height: int, *, input_height: int, widest: int) -> int:
    """Return the columns of an image scaled to a network's height, clipped to `NARROWEST` and `widest`."""
    columns = round(width * input_height / height / MULTIPLE) * MULTIPLE
    return min(max(columns, NARROWEST), widest)
