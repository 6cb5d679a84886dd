"""Runs ComfyUI's main.py in a process that ends when its parent does, even if the parent is killed outright.

The parent holds the other end of standard input and never writes to it, so end of file means that it is gone.
Usage: python guarded_main.py COMFYUI SCRATCH [options of main.py]; SCRATCH ("" for none) is then removed too.
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys
import threading


def _end_with_parent(scratch: str) -> None:
    while os.read(0, 4096):  # not sys.stdin, whose lock would be held while Python shuts down
        pass
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def main() -> None:
    comfyui, scratch, *options = sys.argv[1:]
    threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()
    script = os.path.join(comfyui, "main.py")
    sys.argv = [script, *options]
    sys.path[0] = comfyui
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
