"""Commands of Docker, which see no setting of the service but those that a test gives."""

import os
import subprocess

from app.settings import PREFIX

HUNG_SECONDS = 1000
"""Long enough for the first build, which downloads the requirements."""


def attempt(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HUNG_SECONDS, check=False)


def run(*command: str) -> str:
    finished = attempt(*command)
    assert finished.returncode == 0, f"{' '.join(command)}\n{finished.stdout}{finished.stderr}"
    return finished.stdout.strip()
