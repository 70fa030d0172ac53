"""Commands of `python -m app`; each imports what it needs only when it runs.

Contains no logic that another package could use.
"""

import os

# Otherwise pydantic searches the metadata of all installed packages for plugins; the service has none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
