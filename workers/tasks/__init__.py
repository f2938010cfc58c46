"""One verb a file: what a worker does with a job."""
