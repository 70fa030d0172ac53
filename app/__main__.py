"""`captcha-reader [COMMAND]` or `python -m app [COMMAND]`; without a command, the service."""

import sys

from app.shared.memory import disable_garbage_collection


def main() -> None:
    """Run the command line; serving imports nothing of the other commands."""
    if sys.argv[1:] in ([], ["serve"]):
        disable_garbage_collection()
        from app.commands.serve import serve

        serve()
    else:
        from app.commands.cli import run

        run()


if __name__ == "__main__":
    main()
