"""The wire, defined once: events, frames, jobs, stored runs. Standard library only, so that every floor may read it."""
