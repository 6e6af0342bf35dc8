"""What steps and commands leave behind: one class for each kind of artifact, with its file names and its record."""
