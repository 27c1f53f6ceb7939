"""Runs preprocessing jobs in children that can be killed: imports once, then forks for every line of stdin.

A line is JSON: raw, out, and largest, the size in bytes that no file may exceed (0: any), as on a full disk.
Prints the child's process id, and when it is gone, its return code.
"""

import json
import os
import resource
import sys
from pathlib import Path

from facepipe.detection import preset
from facepipe.preprocess import Plan, job, plan

plan.UNIT = 4


def work(raw: str, out: str, largest: int) -> None:
    if largest:
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    job.preprocess(Plan(Path(raw), Path(out), detection=preset("fast")), device="cpu")


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(**json.loads(line))
                status = 0
            except OSError as error:
                status = error.errno or 1
            finally:
                os._exit(status)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


main()
