"""Episodes as training data, of whatever origin: a folder with a card, pictures, and a rule of what is held out."""
