"""What is learned from which replies: losses as pure functions, and the training methods that use them."""
