"""Samples of a dataset: the images, point clouds and sequences to label."""
