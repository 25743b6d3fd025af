"""Everything that is kept on disk: schema, engine, store. Imports nothing of Muster above it."""
