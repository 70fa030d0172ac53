"""What can be wrong with an upload, and what is accepted."""

ACCEPTED = "PNG, JPEG or WebP, one still picture"


class ImageError(Exception):
    """The bytes are not an image that can be read; the message says why, for the sender."""


class UnsupportedImageError(ImageError):
    """Neither PNG, JPEG nor WebP, a rare kind of them, or more than one frame."""


class ImageTooLargeError(ImageError):
    """More pixels than are accepted."""


class DamagedImageError(ImageError):
    """The right format, but its pixels cannot be decoded."""
