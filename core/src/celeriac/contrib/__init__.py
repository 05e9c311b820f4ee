"""Parts that a program asks for by name and that nothing else of Celeriac needs."""
