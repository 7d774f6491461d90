//! The tape and the backward walk of taper, generic over the value type.
