"""Looks up the locked requirements of the service in the database of known holes; without a network, says so.

Ends with status 1 only if a hole is known: that the database cannot be reached is no reason to stop the work.
"""

import json
import subprocess
import sys
from pathlib import Path

# All that the service may have: serve.txt, and what traces need.
REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "tracing.txt"
SECONDS = 120


def main() -> None:
    """Run pip-audit and read what it says."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--requirement", str(REQUIREMENTS)]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        finished = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS, check=False)
        packages = json.loads(finished.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("not audited: the database of known holes cannot be reached", file=sys.stderr)
        return
    holes = [f"{one['name']} {one['version']}: {hole['id']}" for one in packages for hole in one.get("vulns", [])]
    print("\n".join(holes) or f"audited: no hole is known in {len(packages)} packages")
    sys.exit(bool(holes))


if __name__ == "__main__":
    main()
