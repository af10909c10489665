"""Ctrl-C ends a program wherever it comes."""

import subprocess
import sys

from commands import ROOT

DROPPED = """
import signal, sys, time
sys.path.insert(0, sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
from launching import interrupt

interrupt.answer()

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

try:
    Finalized()
    time.sleep(20)
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_in_a_finalizer_is_not_lost():
    command = [sys.executable, "-c", DROPPED, str(ROOT / "scripts")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15)
    assert (done.stdout, done.stderr) == ("stopped\n", "")
