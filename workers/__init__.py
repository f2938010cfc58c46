"""The second floor: Celery workers that run the model and publish what it yields. Knows no Django."""
