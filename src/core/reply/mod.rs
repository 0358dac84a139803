//! Stage 8: from a recorded conclusion to the bytes of the reply.
