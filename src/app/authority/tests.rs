//! The claims about authority over the rules.
