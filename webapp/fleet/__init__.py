"""The workers: who lives, what they told, what is wanted of them, and which of them a job goes to."""
