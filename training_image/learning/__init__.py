"""From a channel to a booster: reading, splitting, preparing, boosting, calibrating, on one host or several."""
