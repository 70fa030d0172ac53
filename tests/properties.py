"""How often properties are tried: with few examples in `make test`, with all in `make test-full`."""

from typing import Any

from hypothesis import settings


def examples(count: int, **options: Any) -> settings:
    """Return Hypothesis's settings for so many examples, or the profile's share of them."""
    return settings(max_examples=max(5, count * settings().max_examples // 100), **options)
