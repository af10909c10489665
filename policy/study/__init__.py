"""The study: questions, the runs that answer them, and the page that tells."""
