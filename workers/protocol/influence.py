"""Further readings of a map, by name, and how much of them one answer holds. Known to the site and to workers."""

from __future__ import annotations

from typing import Literal

# value     A_ij ‖v_j W_O‖, how much each weight moves
# gradient  A_ij ∂logit/∂A_ij, what each weight does for a chosen output
# rollout   attention multiplied through the layers
# flow      the largest flow through the layers; of one row
InfluenceReading = Literal["value", "gradient", "rollout", "flow"]

# A flow for each token over all weights of the layers: of 128 tokens through 12 layers half a second, of 256 three.
FLOW_TOKENS = 256

# A rectangle of a rollout is cut from whole rows, and the first layer's take part in all of them.
ROLLOUT_ROWS = 1024

# For one row or many the maps of all heads and layers are computed: 1e8 weights take about a second on two cores.
ROLLOUT_WEIGHTS = 3 << 29
