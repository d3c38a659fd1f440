"""A wall around a browser's network: which hosts it reaches, whatever a page or a model asks for."""
