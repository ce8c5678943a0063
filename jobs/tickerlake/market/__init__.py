"""Facts and computations about markets: pure functions over frames, no I/O."""
