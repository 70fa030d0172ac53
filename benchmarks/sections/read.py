"""`python -m app read`: throughput on a folder, relative to bare loops on two processors."""

from app.bulk.run import IN_PROCESS_IMAGES
from benchmarks.common import Setup
from benchmarks.figures import Section, Table, at_least, figure, ratio
from benchmarks.reading import SKIPPED, can_read, fill_folder, read_folder
from benchmarks.sides import ceiling, open_ceiling

IMAGES, FEW_IMAGES = 100_000, 1_000
START_IMAGES = IN_PROCESS_IMAGES + 1  # few enough to measure startup, enough to start all processes
WANTED = 0.75


def measure(setup: Setup) -> Section:
    """Read a folder, read a few images to measure startup, and run the bare loop, in turn."""
    if not can_read():
        return Section(tables={}, checks=[], notes=[SKIPPED])
    images = FEW_IMAGES if setup.quick else IMAGES
    folder = fill_folder(setup.folder / "read", setup.uploads, images)
    start_folder = fill_folder(setup.folder / "read-start", setup.uploads, START_IMAGES)
    whole, started, most = [], [], []
    with open_ceiling(setup.model, setup.uploads, 0.5 if setup.quick else 1.5) as sides:
        for _ in range(setup.rounds):
            seconds = read_folder(folder, images).seconds
            start_seconds = read_folder(start_folder, START_IMAGES).seconds
            whole.append(images / seconds)
            started.append((images - START_IMAGES) / (seconds - start_seconds))
            most.append(ceiling(sides, len(setup.uploads)))
    bare = figure(most)
    rows = {"after startup": figure(started), f"the whole command, {images:,} images": figure(whole)}
    table = Table(
        title="python -m app read, images a second",
        columns={"what": "", "read": "ours", "ceiling": "bare loop in two processes", "share": "share"},
        rows=[
            {"what": what, "read": measured, "ceiling": bare, "share": ratio(measured, bare)}
            for what, measured in rows.items()
        ],
    )
    checks = [at_least(f"images/s, read ÷ bare loop, {what}", ratio(read, bare), WANTED) for what, read in rows.items()]
    return Section(tables={"read": table}, checks=checks, notes=[])
