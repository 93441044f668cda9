"""How long bodies are kept, what keeps them longer, and how they go."""
