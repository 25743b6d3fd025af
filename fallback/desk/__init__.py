"""The claims desk and the commands: from what people say there to the deciders, and back."""
