"""What a worker process keeps between jobs: resident models, captures, its pulse, and the way out for events."""
