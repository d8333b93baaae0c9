"""What one task of a scheduler does with a pipeline's day: plain Python that knows no scheduler."""
