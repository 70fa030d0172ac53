"""What `/metrics` says."""


def numbers_of(text: str) -> dict[str, float]:
    """Each line's number by what stands before it: the name of the metric and, sorted by name, its labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(number) for series, _, number in lines}


def names_in(text: str) -> set[str]:
    """The names of all lines, and of metrics of which there is no line yet."""
    described = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# HELP ")}
    return described | {series.partition("{")[0] for series in numbers_of(text)}
