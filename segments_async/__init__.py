"""The async client for Segments.ai."""
