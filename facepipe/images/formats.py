"""Which files are pictures, by extension."""

EXTENSIONS = frozenset(
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
        ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif", ".tga", ".heic", ".heif", ".hif",
        ".mpo",
    )
)  # fmt: skip
"""Extensions of pictures that can be read."""

VIDEO_EXTENSIONS = frozenset(
    (
        ".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mts", ".m2ts",
        ".ogv",
    )
)  # fmt: skip

_RAW = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
_FOREIGN = (".jxl", ".jxr", ".wdp", ".psd", ".psb", ".xcf", ".eps", ".svg", ".pdf", ".exr", ".hdr", ".bpg")

RAW = "raw camera photo that must be developed first"

KINDS = (
    dict.fromkeys(VIDEO_EXTENSIONS, "video")
    | dict.fromkeys(_RAW, RAW)
    | dict.fromkeys(_FOREIGN, "picture that facepipe cannot read")
)
"""Extension → kind of a file that is skipped, for the note on skipped files."""
