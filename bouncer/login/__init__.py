"""Who may come in as whom."""
