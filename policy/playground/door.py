"""The port at which a server listens: of the loopback alone, unless told otherwise."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn

HOST = "127.0.0.1"
BACKLOG = 128  # connections: who comes before the server is up waits
MAX_MESSAGE = 2**20  # bytes of a web socket's message
OF_PORTS = (errno.EADDRINUSE, errno.EACCES)  # errors that another port would mend
HOSTS = (
    "choose host=127.0.0.1, another address of this machine, or host=0.0.0.0 for all"
)


def listen(port: int, host: str = HOST) -> socket.socket:
    """Opens a port; 0 takes any that is free.

    Raises:
        ValueError: It is taken, or no port, or the host is not this machine.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port is {port}; valid: 0 to {2**16 - 1}")
    family, address = _find(host, port)
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        if error.errno not in OF_PORTS:
            raise ValueError(f"host is {host!r} ({why}); {HOSTS}") from error
        raise ValueError(
            f"port {port} of {host} cannot be opened ({why}): choose another, or "
            "port=0 for any that is free"
        ) from error


def _find(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """An address to listen at and its family; of a name's first those of IPv4."""
    if not host:
        raise ValueError(f"host is {host!r}; {HOSTS}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host is {host!r}, which is unknown; {HOSTS}") from error
    # localhost may have a ::1, too, where nothing else of IPv6 works.
    first = min(found, key=lambda one: one[0] != socket.AF_INET)
    return first[0], first[4]


def serve(app: Any, opened: socket.socket, say: Callable[[str], None]) -> None:
    """Answers until Ctrl-C.

    Args:
        app: What answers.
        opened: Where; closed in the end.
        say: Told the address.
    """
    host, port, *_ = opened.getsockname()
    shown = f"[{host}]" if opened.family == socket.AF_INET6 else host
    say(f"http://{shown}:{port}  (Ctrl-C stops)")
    config = uvicorn.Config(app, log_level="warning", ws_max_size=MAX_MESSAGE)
    with opened, suppress(KeyboardInterrupt):  # uvicorn passes it on, once it is done
        uvicorn.Server(config).run(sockets=[opened])
