"""Dead letters: deadlines and messages that failed so often that they are no longer tried. An administrator sees why."""
