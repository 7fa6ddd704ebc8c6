"""The Python interface: load a model in one line, with the results of the command line."""
