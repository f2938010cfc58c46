"""The site as its staff sees it: Django's own admin in our look, the fleet's page, and what can be done to it."""
