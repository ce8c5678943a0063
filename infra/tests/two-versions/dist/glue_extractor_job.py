# stand-in for the extractor
