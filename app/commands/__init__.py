"""The commands of `python -m app`; each imports what it needs only when it runs.

No logic that another room could use comes in.
"""

import os

# Pydantic would look through the metadata of all installed packages for plugins, of which the service has none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
