"""Applications that are built on the client."""
