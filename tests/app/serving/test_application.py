"""Background tasks of a server process."""

import subprocess
import sys

from tests.waiting import GENEROUS_SECONDS

CYCLE = """
import asyncio, gc, weakref
from app.serving import application

class Thing: pass

async def main():
    app = application.create_app(owns_process=True)
    async with app.router.lifespan_context(app):
        gc.disable()
        gone, loop, thing = asyncio.Event(), asyncio.get_running_loop(), Thing()
        thing.itself = thing
        weakref.finalize(thing, loop.call_soon_threadsafe, gone.set)
        del thing
        await gone.wait()

application.TRIM_SECONDS = 0.0
asyncio.run(main())
"""


def test_free_memory_is_returned_repeatedly() -> None:
    subprocess.run([sys.executable, "-c", CYCLE], check=True, timeout=GENEROUS_SECONDS)
