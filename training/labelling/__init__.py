"""`python -m training label`: a local page on which people type what images say."""
