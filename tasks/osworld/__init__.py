"""OSWorld: its task JSON, what sets a task up, what fetches its results, and its metrics by their names.

Paper: OSWorld (arXiv 2404.07972). A task's JSON holds shell commands; they run in a sandbox, never elsewhere.
"""
