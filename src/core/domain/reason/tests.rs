//! Claims about the shipped words and about faults in the file.
