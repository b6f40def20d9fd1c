"""Releases: snapshots of a dataset and its labels."""
