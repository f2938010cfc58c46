"""A run as files: one HTML page that needs no site, and a notebook that makes it again."""
