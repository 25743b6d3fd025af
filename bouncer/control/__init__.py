"""The control commands: one registry with three doors (service nick, ops bot, command line)."""
