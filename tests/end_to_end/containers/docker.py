"""Commands of Docker, which see no setting of the service but those that a test gives."""

import os
import subprocess

from app.settings import PREFIX


def attempt(*command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)


def run(*command: str, seconds: float = 60) -> str:
    finished = attempt(*command, seconds=seconds)
    assert finished.returncode == 0, f"{' '.join(command)}\n{finished.stdout}{finished.stderr}"
    return finished.stdout.strip()
