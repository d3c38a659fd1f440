"""What the commands do: run, record, view, eval and the tools for scripts."""
