"""What a process has: peers, lanes, memory, a clock."""
