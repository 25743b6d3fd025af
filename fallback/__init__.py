"""The off-site agent: watches the bouncer, and says where to meet when it is unreachable."""
