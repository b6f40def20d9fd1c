"""Iterate over paginated lists, and run jobs ahead of their consumer."""
