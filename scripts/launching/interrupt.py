"""Ctrl-C while programs load ends them without a traceback; `launch` answers it later.

Importing this is enough; it comes before all that takes long.
"""

from __future__ import annotations

import signal
import sys
import threading

SOON_S = 0.01

usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if usual and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def answer() -> None:
    """Lets Ctrl-C raise a KeyboardInterrupt again, unless it is to be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = _send_again


def _send_again(lost: sys.UnraisableHookArgs) -> None:
    """Sends a Ctrl-C again that came in a finalizer, where Python drops it."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        main = threading.main_thread().ident
        threading.Timer(SOON_S, signal.pthread_kill, [main, signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(lost)
