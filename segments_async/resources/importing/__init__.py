"""Import annotations into a dataset: create the samples that are missing, and put the labels."""
