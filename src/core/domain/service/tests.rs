//! Claims about the shipped services and about faults in the file.
