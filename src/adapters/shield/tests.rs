//! Strategies against the shield alone, under a clock in hand.
