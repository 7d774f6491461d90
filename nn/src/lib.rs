//! Modules, layers, losses and initialisation for taper.
