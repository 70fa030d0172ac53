"""Requests that schemathesis makes of the OpenAPI document, on the real service: it answers as the document says."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings

from tests.waiting import GENEROUS_SECONDS

KEY = "opensesame"
NOT_CHECKED = [
    "positive_data_acceptance",  # no schema says which bytes are an image
    "ignored_auth",  # it sends the right key too; see tests/app/api/test_security.py
]


def test_the_service_does_as_its_document_says(run_server: Callable[..., Any], tmp_path: Path) -> None:
    server = run_server(OCR_API_KEY=KEY, OCR_ADMIN_KEY=KEY)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"),
            "run",
            f"{server.url}/openapi.json",
            f"--header=X-API-Key: {KEY}",
            f"--exclude-checks={','.join(NOT_CHECKED)}",
            f"--max-examples={settings().max_examples}",
            "--seed=0",
            f"--request-timeout={GENEROUS_SECONDS}",
            "--output-truncate=false",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Selected: (\d+)/\1\s+Tested: \1\n", done.stdout), done.stdout
    assert '"level":"error"' not in server.log
    assert "Traceback" not in server.log
