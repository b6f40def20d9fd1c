"""Releases: snapshots of a dataset with its labels."""
