# stand-in for the transformer
