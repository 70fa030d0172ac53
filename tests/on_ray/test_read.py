"""`python -m app read --engine ray`: a row an image, whatever becomes of the machines."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs
from ray.cluster_utils import Cluster

from tests.command import Result
from tests.waiting import GENEROUS_SECONDS, wait_until

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]

READ = ("app", "read", "--engine", "ray")


def check_rows(table: pa.Table, paths: list[str]) -> None:
    """Each image has one row, with its text or its error."""
    rows = sorted(table.to_pylist(), key=lambda row: row["path"])
    assert [row["path"] for row in rows] == sorted(paths)
    for row in rows:
        if row["path"].endswith(("first.png", "last.png")):
            assert (row["text"], row["confidence"]) == (None, None)
            assert "image" in row["error"]
        else:
            assert (row["text"], row["error"]) == (row["path"][-9:-4], None)
            assert len(row["character_confidences"]) == 5
            assert row["confidence"] > 0.99


class TestOneMachine:
    def test_reads_a_folder_once_and_goes_on_after_an_interruption(self, run: Run, images: list[str]) -> None:
        command = (*READ, "scans/00*.png", "scans/first.png", "--output", "table")
        wanted = [*(path for path in images if path.startswith("scans/00")), "scans/first.png"]
        first, second = Path("table/part-000000.parquet"), Path("table/part-000001.parquet")
        whole = {"_SUCCESS", "_reading.json", first.name, second.name}
        result = run(*command)
        assert result.status == 1, result.err
        assert result.err.startswith("1,000 read, 1 error; ")
        assert result.err.count("\n") == 1
        assert {path.name for path in Path("table").iterdir()} == whole
        check_rows(ds.dataset("table").to_table(), wanted)
        kept = first.stat().st_mtime_ns
        Path("table/_SUCCESS").unlink()
        second.unlink()
        result = run(*command)
        assert result.err.startswith("1,000 read, 1 error (1,000 by an earlier run); ")
        assert first.stat().st_mtime_ns == kept
        assert {path.name for path in Path("table").iterdir()} == whole
        check_rows(ds.dataset("table").to_table(), wanted)

    def test_wrong_constraints_are_told_before_anything_is_started(self, run: Run, images: list[str]) -> None:
        result = run(*READ, "scans", "--output", "table", "--charset", "Ж")
        assert result.status == 2
        assert "has none of its characters" in result.err
        assert not Path("table").exists()

    def test_a_cluster_that_is_not_there_is_told(self, run: Run, images: list[str]) -> None:
        result = run(*READ, "scans/first.png", "--output", "table", RAY_ADDRESS="127.0.0.1:1")
        assert result.status == 2
        assert "error: There is no Ray cluster at 127.0.0.1:1 (RAY_ADDRESS)" in result.err


@pytest.fixture
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three nodes, each with processes of its own and one processor, at work in another folder than the command."""
    monkeypatch.chdir("/")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.chdir(folder)
    yield cluster
    cluster.shutdown()


def has_worker(raylet: int) -> bool:
    """Whether a node's process has a child that reads."""
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    return any(map(reads, children))


def reads(pid: str) -> bool:
    """Whether a process is one that reads."""
    try:
        return "MapWorker" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False  # it has ended


class TestCluster:
    def test_a_node_killed_midway_loses_nothing_and_doubles_nothing(
        self, cluster: Cluster, start: Start, images: list[str]
    ) -> None:
        process = start(*READ, "scans", "--output", "table", RAY_ADDRESS=cluster.address)
        others = [node for node in cluster.list_all_nodes() if node != cluster.head_node]
        pids = {node: node.all_processes["raylet"][0].process.pid for node in others}

        def one_amid() -> Any:
            assert process.poll() is None, process.communicate()
            reading = (node for node in others if has_worker(pids[node]))
            return next(reading, None) if any(Path("table").glob("part-*")) else None

        lost = wait_until(one_amid)
        done = len(list(Path("table").glob("part-*")))
        assert done < 10
        cluster.remove_node(lost, allow_graceful=False)
        _, err = process.communicate(timeout=GENEROUS_SECONDS)
        assert process.returncode == 1, err
        assert "12,000 read, 2 errors; " in err
        assert len(list(Path("table").glob("part-*"))) == 13
        check_rows(ds.dataset("table").to_table(), images)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server with a bucket `scans`; its address in the form of URL options."""
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    options = "endpoint_override={}:{}&scheme=http&region=us-east-1".format(*server.get_host_and_port())
    filesystem, _ = fs.FileSystem.from_uri(f"s3://scans/?{options}&allow_bucket_creation=true")
    filesystem.create_dir("scans")
    yield options
    server.stop()


class TestS3:
    def test_reads_from_a_bucket_and_writes_into_one(
        self, run: Run, s3: str, samples: dict[str, bytes], folder: Path
    ) -> None:
        filesystem, _ = fs.FileSystem.from_uri(f"s3://scans/?{s3}")
        names = [f"2026/{number:02}%20 #é/{number}-{label}.png" for number in range(30) for label in samples]
        for name in [*names, "2026/first.png"]:
            content = samples.get(name[-9:-4], b"This is no image.")
            with filesystem.open_output_stream(f"scans/{name}") as file:
                file.write(content)
        result = run(*READ, f"s3://scans/20*/**/*.png?{s3}", "--output", f"s3://scans/out/table?{s3}")
        assert result.status == 1, result.err
        assert result.err.startswith("120 read, 1 error; ")
        table = ds.dataset("scans/out/table", filesystem=filesystem).to_table()
        check_rows(table, [f"s3://scans/{name}" for name in [*names, "2026/first.png"]])
        again = run(*READ, f"s3://scans/2026?{s3}", "--output", f"s3://scans/out/table?{s3}")
        assert again.status == 2
        assert "already exists" in again.err

    def test_a_bucket_that_is_not_there_is_told(self, run: Run, s3: str) -> None:
        result = run(*READ, f"s3://none/*.png?{s3}", "--output", "table")
        assert result.status == 2
        assert f"error: No image matches s3://none/*.png?{s3}." in result.err
