"""Start ComfyUI with this pack and print the address of its page. Ctrl-C ends it."""

from __future__ import annotations

import signal
import sys
import time

from spacetime_cli.command import ensure_host, parser, run
from spacetime_cli.console import Console
from spacetime_cli.errors import CommandError, Exit
from spacetime_cli.process import tail
from spacetime_cli.server import HostServer, free_port, is_free

USUAL_PORT = 8188


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--port", type=int, help=f"port on this machine (default: {USUAL_PORT}, or a free one if taken)")
    made.add_argument("comfyui_options", nargs="*", metavar="-- OPTION", help="more options for ComfyUI's main.py")
    options = made.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts it in the background ignores Ctrl-C for it
    console = Console()
    host = ensure_host(options.comfyui, console)
    port = options.port or (USUAL_PORT if is_free(USUAL_PORT) else free_port())
    with HostServer(host, port=port, options=tuple(options.comfyui_options), console=console) as server:
        console.say("ComfyUI is running; Ctrl-C ends it")
        print(server.url, flush=True)
        try:
            while server.is_running():
                time.sleep(0.5)
        except KeyboardInterrupt:
            console.say("ending ComfyUI")
            return int(Exit.OK)
        raise CommandError(f"ComfyUI ended by itself; its last words were:\n{tail(server.log)}", Exit.SERVER)


if __name__ == "__main__":
    sys.exit(run(main))
