"""The trainings of a cross-validation on a Ray cluster, or on this machine as if it were one."""

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from app.shared.cluster import connect
from app.shared.cpus import available_cpus
from training.fitting.backend import start_worker
from training.fitting.run import RunError
from training.pipeline.crossval import Part, PartResult, run_part, stored_results


def run_parts_on_ray(
    parts: Sequence[Part], folder: Path, options: dict[str, Any], jobs: int
) -> Generator[PartResult, None, None]:
    """Train and read all parts as `run_parts` does, each as a task of Ray.

    All machines must see the images and the folder under the same paths. A part whose machine is lost goes on
    elsewhere, from its last epoch. On a cluster, as many trainings run at the same time as have room with as many
    processors each as `jobs` leave them on this machine.

    Raises:
        ClusterError: there is no cluster.
        RunError: the folder holds trainings with other settings or images, or a machine does not see it.
    """
    left = yield from stored_results(parts, folder, options)
    threads = max(1, available_cpus() // jobs)
    folder.mkdir(parents=True, exist_ok=True)
    with connect(threads * jobs):
        import ray

        # A process a training: TensorFlow takes its number of threads only once.
        task = ray.remote(num_cpus=threads, max_calls=1, max_retries=-1)(_run_part)
        waiting = [task.remote(Path.cwd(), part, folder, options, threads) for part in left]
        while waiting:
            (done,), waiting = ray.wait(waiting)
            try:
                yield ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise (error.cause if isinstance(error.cause, RunError) else error) from error


def _run_part(working_folder: Path, part: Part, folder: Path, options: dict[str, Any], threads: int) -> PartResult:
    """Train and read a part on a machine, in a process of its own."""
    if not (working_folder / folder).is_dir() or not (working_folder / part.known[0].path).exists():
        machine = os.uname().nodename
        raise RunError(f"{machine} does not see {folder} or the images; all machines must, under these paths.")
    os.chdir(working_folder)  # so that reports name the images as the command did
    start_worker(threads)
    return run_part(part, folder, options)
