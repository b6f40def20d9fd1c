"""A web page on which images are dropped and uploaded, and on which their labels appear. README.md says more."""
