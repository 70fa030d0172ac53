"""Cross-validation on a Ray cluster, or on a local Ray instance."""

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
    """Run all parts like `run_parts`, each as a Ray task.

    All machines must see the images and the folder under the same paths. If a machine is lost, its parts resume
    elsewhere from their last epoch. Each training reserves as many processors as `jobs` leave it on this machine; the
    cluster runs as many trainings as fit.

    Raises:
        ClusterError: there is no cluster.
        RunError: the folder has trainings with other settings or images, or a machine cannot see it.
    """
    left = yield from stored_results(parts, folder, options)
    threads = max(1, available_cpus() // jobs)
    folder.mkdir(parents=True, exist_ok=True)
    with connect(threads * jobs):
        import ray

        # One process per training: TensorFlow accepts its number of threads only once.
        task = ray.remote(num_cpus=threads, max_calls=1, max_retries=-1)(_run_part)
        waiting = [task.remote(Path.cwd(), part, folder, options, threads) for part in left]
        while waiting:
            (done,), waiting = ray.wait(waiting)
            try:
                yield ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise (error.cause if isinstance(error.cause, RunError) else error) from error


def _run_part(working_folder: Path, part: Part, folder: Path, options: dict[str, Any], threads: int) -> PartResult:
    """Run a part in a process of its own on any machine."""
    if not (working_folder / folder).is_dir() or not (working_folder / part.known[0].path).exists():
        machine = os.uname().nodename
        raise RunError(f"{machine} cannot see {folder} or the images; all machines need them under the same paths.")
    os.chdir(working_folder)  # so that reports have the same paths as the command
    start_worker(threads)
    return run_part(part, folder, options)
