"""One prompt, one image, many answers: run once, shared by all of them."""
