"""How good, how often: suites, scorers, evaluation, replay, reports and the command line."""
