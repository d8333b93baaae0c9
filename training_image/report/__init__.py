"""The model report: one HTML file that needs nothing besides itself."""
