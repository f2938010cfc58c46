"""What the project promises in numbers, measured on the machine at hand: `./run bench [NAME] [--json]`."""
