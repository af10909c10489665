"""The algorithm: advantages, credit, loss, optimizer, averages."""
