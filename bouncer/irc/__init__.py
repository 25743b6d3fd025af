"""The protocol core: no trio, no sockets, no clock, no storage. Time is an argument."""
