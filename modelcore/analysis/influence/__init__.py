"""From weights to influence: further readings of the same maps, each made of what is O(n) to keep."""
