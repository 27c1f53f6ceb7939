"""Files: walking folders, writing, locking, fingerprints, comparison of names, and the check of outputs."""

from facepipe.files.fingerprint import UNMARKED, Changes, Mark, compare_marks, mark_file
from facepipe.files.identity import Layout, folder_of, identity_of, person_of_folder
from facepipe.files.lock import locked
from facepipe.files.names import Matches, canonical, match_names, same_name
from facepipe.files.outputs import OutputError, require_apart
from facepipe.files.passed_over import PassedOver
from facepipe.files.walk import SYSTEM_FOLDERS, FolderError, walk
from facepipe.files.writing import replacing, require_regular, require_writable, write_bytes, write_text

__all__ = [
    "SYSTEM_FOLDERS",
    "UNMARKED",
    "Changes",
    "FolderError",
    "Layout",
    "Mark",
    "Matches",
    "OutputError",
    "PassedOver",
    "canonical",
    "compare_marks",
    "folder_of",
    "identity_of",
    "locked",
    "mark_file",
    "match_names",
    "person_of_folder",
    "replacing",
    "require_apart",
    "require_regular",
    "require_writable",
    "same_name",
    "walk",
    "write_bytes",
    "write_text",
]
