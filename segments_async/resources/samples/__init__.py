"""Samples: what is labelled."""
