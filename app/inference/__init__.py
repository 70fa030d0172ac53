"""From the bytes of an image to its text: nothing here knows of HTTP."""
