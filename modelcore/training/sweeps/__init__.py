"""One plan varied over named fields. `variants` and `power_law` are arithmetic on plain values: the site, which has no
torch, imports them too.
"""
