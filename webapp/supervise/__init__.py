"""One machine's Headlight as one group of processes: started in order, kept alive, ended together.

`manage.py up` is the only door. The supervisor holds no state of the product: killing it at any moment ends
every process and loses nothing that was acknowledged.
"""
