"""One file per change of the schema, in order. See `storage.migrations` for the rule."""
