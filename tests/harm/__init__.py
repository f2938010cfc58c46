"""Harm to real processes, one test a fault: `./run test tests/harm`, on a machine with nothing else to do."""
