"""gridgov: four-level grid governance for a county city, from a report to a closed loop."""
