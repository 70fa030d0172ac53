"""The server process: application, HTTP protocol, sockets, signals, reload, graceful shutdown.

Contains no routes; `app.api` does not import it.
"""
