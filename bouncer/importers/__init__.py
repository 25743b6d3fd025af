"""Bringing users, networks and history over from another bouncer, without doubles when repeated."""
