"""Reading many image files without a server."""
