"""``python -m saccade``: the command line."""

from saccade.tasks.cli import main

if __name__ == "__main__":
    main()
