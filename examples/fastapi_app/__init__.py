"""A web page to upload images and watch their labels arrive; see README.md."""
