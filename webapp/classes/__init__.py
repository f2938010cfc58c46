"""Classes: a teacher and the people who joined by her link. She sees what they use, and keeps the machine free."""
