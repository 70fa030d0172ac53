"""What running a command comes to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The lines of standard output, split at tabs."""
        return [line.split("\t") for line in self.out.splitlines()]
