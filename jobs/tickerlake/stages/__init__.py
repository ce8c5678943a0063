"""The stages of the lake, one module each with one public function."""
