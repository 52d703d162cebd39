"""What can be completed on the command line, and the scripts that tell shells of it."""
