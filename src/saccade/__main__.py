"""``python -m saccade``: the command line."""

from saccade.tasks.cli.app import main

if __name__ == "__main__":
    main()
