"""Convert JSON to models and back."""
