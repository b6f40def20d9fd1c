"""Example applications built on the client."""
