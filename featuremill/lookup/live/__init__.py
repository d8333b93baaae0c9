"""What is asked of the SageMaker endpoint at request time: live predictions, contributions, values of a new event."""
