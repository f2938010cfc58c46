"""The top floor: the Django site, its HTTP API, its sockets and the recorder. No torch, not even indirectly."""
