# stand-in for the compactor
