"""The command line: one module for each group of commands, which reads options and calls the rest."""
