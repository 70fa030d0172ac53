"""Order of the images: suspects, then the least certain guesses; each tab gets a different image."""

import time
from collections.abc import Mapping, Sequence

from training.labelling.decisions import Decision
from training.labelling.guesses import Guess

LEASE_SECONDS = 90.0
"""A silent tab is considered closed after this time; browsers let hidden tabs send once a minute."""
UNREAD = 2.0
"""Sort key of images without a guess: after confidences, which are at most 1."""


class Queue:
    """The undecided images, and which tab shows which."""

    def __init__(self, images: int) -> None:
        self._images = images
        self._held: dict[str, tuple[int, float]] = {}

    def next_for(
        self,
        tab: str,
        decisions: Mapping[int, Decision],
        guesses: Mapping[int, Guess],
        suspects: Sequence[int] = (),
    ) -> int | None:
        """Return the image for a tab: the one it has, otherwise the next one that no other tab has, if possible.

        Suspects come first, in their order; then guesses, least confident first; then images without a guess, in folder
        order; then skipped images, in the order of skipping. Return None if all are decided.
        """
        waiting = [number for number in range(self._images) if number not in decisions]
        skipped = [number for number, decision in decisions.items() if not decision.is_final]
        left = {*suspects, *waiting, *skipped}
        if not left:
            return None
        held = self._held.get(tab)
        if held is None or held[0] not in left:
            waiting.sort(key=lambda number: guesses[number].confidence if number in guesses else UNREAD)
            queue = [*suspects, *waiting, *skipped]
            elsewhere = self._held_by_others(tab)
            number = next((number for number in queue if number not in elsewhere), queue[0])
        else:
            number = held[0]
        self._held[tab] = number, time.monotonic()
        return number

    def held(self) -> set[int]:
        """Return the images that tabs show."""
        return {number for number, _ in self._held.values()}

    def release(self, tab: str, number: int) -> None:
        """Release an image that a tab is done with."""
        if tab in self._held and self._held[tab][0] == number:
            del self._held[tab]

    def forget(self, tab: str) -> None:
        """Remove a closed tab."""
        self._held.pop(tab, None)

    def keep(self, tab: str) -> int | None:
        """Renew a tab's lease, and return the image that it shows."""
        if tab not in self._held:
            return None
        number = self._held[tab][0]
        self._held[tab] = number, time.monotonic()
        return number

    def _held_by_others(self, tab: str) -> set[int]:
        since = time.monotonic() - LEASE_SECONDS
        return {number for other, (number, seen) in self._held.items() if other != tab and seen > since}
