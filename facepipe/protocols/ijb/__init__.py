"""IJB-A, IJB-B, IJB-C: templates of many images."""
