"""One user's sessions held together: events decided, effects performed in their order."""
