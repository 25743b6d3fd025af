"""The public networks: connections, lobby and room, what is said there and how."""
