"""One user on one network. Pure: an event comes in, effects go out; time is an argument."""
