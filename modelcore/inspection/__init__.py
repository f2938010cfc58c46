"""What somebody brought, looked through in a process that is thrown away afterwards: ready, or refused and why."""
