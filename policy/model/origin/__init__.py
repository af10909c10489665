"""Where a policy's files come from, and what a stranger's may not hold or cost."""
