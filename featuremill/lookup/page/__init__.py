"""The page at `/`: what is published, and an entity's features and prediction. Plain HTML, CSS and ES modules."""
