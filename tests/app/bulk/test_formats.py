"""Output formats of tables."""

import signal
import subprocess
import sys
from pathlib import Path

from app.bulk.formats import write_output

KILLED = """
import os, signal, sys
from pathlib import Path
from app.bulk.formats import write_output

def rows():
    yield b'{"path": "a.png"}\\n'
    os.kill(os.getpid(), signal.SIGKILL)

write_output(Path(sys.argv[1]), ["path"], rows())
"""


def test_temporary_files_of_a_killed_process_are_removed(tmp_path: Path, repository: Path) -> None:
    output = tmp_path / "out.jsonl"
    killed = subprocess.run([sys.executable, "-c", KILLED, output], cwd=repository, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not output.exists()
    assert list(tmp_path.iterdir())
    write_output(output, ["path"], [b'{"path": "b.png"}\n'])
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b'{"path": "b.png"}\n'
