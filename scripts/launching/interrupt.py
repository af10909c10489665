"""Ctrl-C while programs load ends them without a traceback; `launch` answers it later.

Importing this is enough; it comes before all that takes long.
"""

from __future__ import annotations

import signal
import threading

usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if usual and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def answer() -> None:
    """Lets Ctrl-C raise a KeyboardInterrupt again, unless it is to be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
