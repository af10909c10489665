"""The port at which a server listens: of the loopback alone, unless told otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn

HOST = "127.0.0.1"
BACKLOG = 128  # connections
MAX_MESSAGE = 2**20  # bytes of a web socket's message


def listen(port: int, host: str = HOST) -> socket.socket:
    """Opens a port; 0 takes any that is free.

    Raises:
        ValueError: It is taken, or no port, or the host is not this machine.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port is {port}; valid: 0 to {2**16 - 1}")
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(BACKLOG)  # who comes before the server is up waits
    except OSError as error:
        opened.close()
        raise ValueError(
            f"port {port} of {host} cannot be opened ({error.strerror}): choose "
            f"another, port={port + 1}, or port=0 for any"
        ) from error
    return opened


def serve(app: Any, opened: socket.socket, say: Callable[[str], None]) -> None:
    """Answers until Ctrl-C.

    Args:
        app: What answers.
        opened: Where; closed in the end.
        say: Told the address.
    """
    host, port = opened.getsockname()
    say(f"http://{host}:{port}  (Ctrl-C stops)")
    config = uvicorn.Config(app, log_level="warning", ws_max_size=MAX_MESSAGE)
    with opened, suppress(KeyboardInterrupt):  # uvicorn passes it on, once it is done
        uvicorn.Server(config).run(sockets=[opened])
