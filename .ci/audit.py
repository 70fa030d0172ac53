"""Check the locked requirements of the service for known vulnerabilities.

Exit with status 1 only if there is one: an unreachable database must not stop the work.
"""

import json
import subprocess
import sys
from pathlib import Path

# The largest set of the service: serve.txt and the tracing packages.
REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "tracing.txt"
SECONDS = 120


def main() -> None:
    """Run pip-audit and print the vulnerabilities."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--requirement", str(REQUIREMENTS)]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        finished = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS, check=False)
        packages = json.loads(finished.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("not audited: the vulnerability database cannot be reached", file=sys.stderr)
        return
    found = [f"{one['name']} {one['version']}: {vuln['id']}" for one in packages for vuln in one.get("vulns", [])]
    print("\n".join(found) or f"audited: no known vulnerabilities in {len(packages)} packages")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
