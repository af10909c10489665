"""What a browser shows: the page and its parts, and the view in three dimensions."""
