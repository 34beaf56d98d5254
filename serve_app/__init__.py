"""Start: the Serve application, the command line, and the supervisor of one machine."""
