"""One page that shows a run: what it came to, how, and on which scenes."""
