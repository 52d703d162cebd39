"""What is made from the schema for readers and programs: a vocabulary, a JSON Schema, the reference pages.

Nothing here names a statement: a new one in the model shows up by itself.
"""
