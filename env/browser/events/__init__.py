"""What pages do beside the screen, and the time limit of every call to them."""
