"""What can be wrong, and how it is told."""

from reproc.diagnostics.diagnostic import Code, Diagnostic, Label, Outcome, Severity, error

__all__ = ["Code", "Diagnostic", "Label", "Outcome", "Severity", "error"]
