"""Drivers of real servers, real clients and real cuts, for the end-to-end tests and the drill."""
