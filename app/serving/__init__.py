"""The process that serves: the application put together, the server's protocol, listening, signals, reload, drain.

No route comes in here; `app.api` knows nothing of this room.
"""
