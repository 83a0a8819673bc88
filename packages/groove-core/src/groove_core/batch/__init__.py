"""One function over many files, in processes of their own."""
