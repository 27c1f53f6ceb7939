"""What may become of inputs between two runs of a command: of photos 0 … 3 in the folders A and B."""

import os

from facepipe.images import write_rgb

NOTHING = {"new": 0, "changed": 0, "vanished": 0, "touched": 0}
CHANGES = {
    "added": {"new": 1},
    "changed": {"changed": 1},
    "changed, same size and time": {},
    "deleted": {"vanished": 1},
    "renamed": {"new": 1, "vanished": 1},
    "touched": {"touched": 1},
    "nothing": {},
}


def change(root, what, faces):
    """Do it to ``A/2.bmp``, and to the fifth of five pictures."""
    file = root / "A" / "2.bmp"
    status = file.stat()
    if what == "added":
        write_rgb(root / "C" / "9.bmp", faces[4])
    elif what.startswith("changed"):
        write_rgb(file, faces[4])
        later = 0 if "same" in what else 7
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + later))
    elif what == "deleted":
        file.unlink()
    elif what == "renamed":
        file.rename(root / "A" / "8.bmp")
    elif what == "touched":
        os.utime(file, ns=(0, status.st_mtime_ns + 7))
