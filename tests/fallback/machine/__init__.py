"""Random plays over voters, mesh and claims: what must hold is checked after every step."""
