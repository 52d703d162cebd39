"""Builds recipes in real engines, runs the tests in the images and reports what held."""
