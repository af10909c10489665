"""The default policy: its sizes, its words, its tokenizer."""
