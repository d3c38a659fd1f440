"""Acting on a page: what an action is about to hit, as the guard is told, and how it is done once it is permitted."""
