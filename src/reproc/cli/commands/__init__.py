"""The commands: one small module each, with `parser()` and `run(options, console)`."""
