"""What voters and the bouncer tell each other, and what of it counts."""
