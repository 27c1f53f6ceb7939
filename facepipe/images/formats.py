"""Which files are pictures, by extension."""

EXTENSIONS = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
        ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif", ".tga", ".heic", ".heif", ".hif", ".mpo",
    )
)  # fmt: skip
"""Pictures that are read."""

VIDEO_EXTENSIONS = frozenset(
    (
        ".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mts", ".m2ts",
        ".ogv",
    )
)  # fmt: skip

_RAW = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw", ".raw")
_FOREIGN = (".jxl", ".psd", ".xcf", ".eps", ".svg", ".pdf", ".jxr", ".exr", ".hdr")

KINDS = (
    dict.fromkeys(VIDEO_EXTENSIONS, "video")
    | dict.fromkeys(_RAW, "raw camera photo that must be developed first")
    | dict.fromkeys(_FOREIGN, "picture that facepipe cannot read")
)
"""Extension → what a file is that is not searched for, for the note on what was passed over."""
