"""Twenty years of faults in a few minutes, under the real deciders: FALLBACK.md §2's simulator."""
