"""What a voter sees for itself: the primary's port, landmarks, whether it was awake."""
