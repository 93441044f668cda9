"""Commands about how long bodies are kept and how they go."""
