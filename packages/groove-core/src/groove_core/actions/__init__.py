"""A signature becomes a command line, a Python function, a JSON schema and a page."""
